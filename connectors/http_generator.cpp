#include "connectors/http_generator.hpp"

#include "connectors/retry_after.hpp"
#include "connectors/shown_text.hpp"

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::generator_answer;

namespace {
constexpr std::chrono::hours try_again_max{1};
constexpr std::size_t error_bytes_max = 500;
} // namespace

result<authorised_client> make_authorised_client(const http_generator_options& options, token_place where) {
  require(options.time != nullptr, "a generator needs a clock");
  auto client = http_client::make({.at = options.at});
  if (!client) return std::unexpected(client.error());
  std::unique_ptr<access_tokens> tokens;
  if (options.tokens) {
    auto made = access_tokens::make(*options.tokens);
    if (!made) return std::unexpected(made.error());
    tokens = std::move(*made);
  }
  return authorised_client(std::move(*client), std::move(tokens), where);
}

std::optional<generator_answer> without_answer(const http_reply& reply) {
  switch (reply.how) {
  case transfer::answered:
    return std::nullopt;
  case transfer::not_sent: // nobody was called: an outage, however long, spends no attempt of a task
    return generator_answer{call_outcome::none_available, {}, shown_text(reply.error, error_bytes_max), {}};
  case transfer::lost:
    break;
  }
  return generator_answer{call_outcome::unknown, {}, shown_text(reply.error, error_bytes_max), {}};
}

generator_reply as_generator_reply(const http_reply& reply, const clock& time) {
  return {.status = reply.status,
          .body = reply.body,
          .retry_after = parse_retry_after(reply.retry_after, time.wall(), try_again_max)};
}

} // namespace matricula::connectors
