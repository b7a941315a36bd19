// What other systems' generators, token endpoints and receivers of webhooks answer. The first byte says which; the two
// behind it are the status of an answer.
#include "connectors/access_token.hpp"
#include "connectors/generator_answers.hpp"
#include "connectors/retry_after.hpp"
#include "connectors/shown_text.hpp"
#include "connectors/webhook.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {
using namespace matricula;
using namespace matricula::connectors;
using registrants::call_outcome;
using registrants::generator_answer;
using std::chrono_literals::operator""h;

bool is_plain(std::string_view text, std::size_t bytes_max) {
  return text.size() <= bytes_max && std::ranges::all_of(text, [](char c) { return c >= ' ' && c < 0x7f; });
}

void check(const generator_answer& is, const generator_reply& of) {
  require(is_plain(is.error, 500), "an error is one short line");
  require(is.error.empty() == (is.outcome == call_outcome::done), "what is not done says why");
  require(is.id.empty() || (is.outcome == call_outcome::done && is_identifier(is.id)), "an identifier is one");
  if (is.outcome == call_outcome::done) require(of.status == 200, "only 200 gives anything");
}

void read_generator(std::uint8_t which, int status, std::string_view body) {
  const generator_reply reply{.status = status, .body = body};
  if (which == 0) {
    const auto is = read_mosip_issue(reply);
    check(is, reply);
    require((is.outcome == call_outcome::done) == !is.id.empty(), "done comes with the identifier");
    if (mosip_wants_new_token(reply)) require(is.outcome == call_outcome::failed, "a refused token did nothing");
  } else if (which == 1) {
    const auto is = read_mosip_confirm(reply, "4920546943");
    check(is, reply);
    require(is.outcome != call_outcome::none_available, "a pool has nothing to do with it");
  } else {
    const auto is = read_openg2p_issue(reply);
    check(is, reply);
    require((is.outcome == call_outcome::done) == !is.id.empty(), "done comes with the identifier");
  }
}

void read_rest(std::uint8_t which, int status, std::string_view text) {
  const timestamp now{milliseconds{1'800'000'000'000}};
  if (which == 3) {
    const auto token = parse_token_answer(text);
    if (!token) return;
    require(is_plain(token->token, 16 * 1024) && !token->token.empty(), "a token can stand in a header");
    require(token->token.find_first_of(" ;,\"\\") == std::string::npos, "and in a cookie");
    require(token->lifetime <= 24h, "no token lives longer than a day");
  } else if (which == 4) {
    const auto is = read_delivery_answer(status, text, text, now);
    require(is_plain(is.error, 500), "an error is one short line");
    require(!is.try_again || (*is.try_again >= milliseconds{0} && *is.try_again <= 1h), "waits are bounded");
  } else {
    const auto shown = shown_text(text, 100);
    require(is_plain(shown, 100), "what is shown is one short line");
  }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const auto which = static_cast<std::uint8_t>(data[0] % 6);
  const int status = 100 + (data[1] * 256 + data[2]) % 500;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 3, size - 3);
  if (which < 3)
    read_generator(which, status, rest);
  else
    read_rest(which, status, rest);
  return 0;
}
