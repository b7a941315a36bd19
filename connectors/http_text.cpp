#include "connectors/http_text.hpp"

#include "connectors/http_client.hpp"

#include <fmt/format.h>
#include <httplib.h>

namespace matricula::connectors {

http_text::http_text(const http_location& from, std::size_t bytes_max)
    : from_(from), client_(http_client::make({.at = from, .body_bytes_max = bytes_max, .idle_connections_max = 0})) {}
http_text::~http_text() = default;

void http_text::stop() noexcept {
  if (client_) (*client_)->stop();
}

result<std::string> http_text::run(std::chrono::milliseconds at_most) {
  if (!client_) return std::unexpected(client_.error());
  auto& client = **client_;
  http_request question{.target = from_.target, .headers = {{"Accept", "application/json"}, {"Connection", "close"}}};
  if (!from_.user.empty())
    question.headers.push_back(httplib::make_basic_authentication_header(from_.user, from_.password));
  auto reply = client.call(question, std::chrono::steady_clock::now() + at_most);
  if (reply.status != 0 && reply.status != 200)
    return fail(errc::unavailable,
                fmt::format("{} answered {}; only 200 is accepted, and no redirect.", client.where(), reply.status));
  if (reply.too_large) return fail(errc::invalid_argument, reply.error);
  if (reply.how != transfer::answered) return fail(errc::unavailable, reply.error);
  return std::move(reply.body);
}

} // namespace matricula::connectors
