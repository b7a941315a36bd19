// GET takes an identifier out of MOSIP's pool and PUT marks it as ASSIGNED. Neither may be repeated lightly: each GET
// consumes one, and each PUT but the first is answered with an error.
#include "connectors/http_generator.hpp"

#include <fmt/format.h>

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::generator_answer;
using registrants::id_generator;

namespace {

class mosip_generator final : public id_generator {
public:
  mosip_generator(http_generator_options options, authorised_client calls)
      : options_(std::move(options)), calls_(std::move(calls)) {}

  generator_answer issue(std::string_view) override {
    const auto reply =
        call({.method = "GET", .target = options_.at.target, .headers = {{"Accept", "application/json"}}});
    if (auto none = without_answer(reply)) return *none;
    return read_mosip_issue(as_generator_reply(reply, *options_.time));
  }

  generator_answer confirm(std::string_view id) override {
    if (!is_identifier(id))
      return {call_outcome::refused, {}, "This is no identifier: 1 to 64 letters, digits or '-' are.", {}};
    // id and version as OpenG2P's own worker sends them: MOSIP only repeats them.
    const auto body = fmt::format(
        R"({{"id":"string","version":"string","requesttime":"{}","metadata":{{}},"request":{{"uin":"{}","status":"ASSIGNED"}}}})",
        to_rfc3339(options_.time->wall()), id);
    const auto reply = call({.method = "PUT",
                             .target = options_.at.target,
                             .headers = {{"Accept", "application/json"}, {"Content-Type", "application/json"}},
                             .body = body});
    if (auto none = without_answer(reply)) return *none;
    return read_mosip_confirm(as_generator_reply(reply, *options_.time), id);
  }

  [[nodiscard]] bool knows_requests() const noexcept override { return false; }
  void stop() noexcept override { calls_.stop(); }

private:
  http_reply call(const http_request& what) {
    return calls_.call(what, std::chrono::steady_clock::now() + options_.at_most, [](const http_reply& reply) {
      return mosip_wants_new_token({.status = reply.status, .body = reply.body});
    });
  }

  http_generator_options options_;
  authorised_client calls_;
};

} // namespace

result<std::unique_ptr<id_generator>> make_mosip_generator(http_generator_options options) {
  auto calls = make_authorised_client(options, token_place::mosip_cookie);
  if (!calls) return std::unexpected(calls.error());
  return std::make_unique<mosip_generator>(std::move(options), std::move(*calls));
}

} // namespace matricula::connectors
