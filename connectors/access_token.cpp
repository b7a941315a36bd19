#include "connectors/access_token.hpp"

#include "foundation/digest.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace matricula::connectors {

namespace {

using std::chrono::seconds;

constexpr std::size_t token_bytes_max = 16 * 1024;
constexpr std::size_t error_word_bytes_max = 64;
constexpr seconds lifetime_when_missing{900};
constexpr seconds lifetime_max = std::chrono::days(1);
constexpr seconds early_max{30}; ///< how long before its end a token is renewed: clocks and calls take their time
constexpr seconds failure_holds{1};

/// What RFC 6265 lets stand in a cookie, so that no token can end its header or add another cookie.
bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= token_bytes_max && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

std::string form_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    if (plain)
      out += c;
    else
      out += '%' + to_hex({&c, 1});
  }
  return out;
}

/// The code of a refusal, such as invalid_client; empty when the body holds none. A code is all that is shown of it:
/// the rest may repeat what was sent.
std::string error_word(std::string_view body) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text(body);
  std::string_view word;
  if (parser.parse(text)["error"].get(word)) return {};
  const bool plain = word.size() <= error_word_bytes_max &&
                     std::ranges::all_of(word, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  return plain ? std::string(word) : std::string{};
}

std::optional<seconds> lifetime_of(simdjson::dom::element answer) {
  simdjson::dom::element said;
  if (answer["expires_in"].get(said) || said.is_null()) return lifetime_when_missing;
  double number = 0;
  if (said.get(number)) {
    std::string_view text; // some servers quote it
    if (said.get(text) || text.empty() || text.size() > 9 ||
        !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    number = std::stod(std::string(text));
  }
  if (!(number > 0)) return std::nullopt;
  return std::min(lifetime_max, seconds(static_cast<std::int64_t>(std::min(number, 1e9))));
}

} // namespace

result<token_answer> parse_token_answer(std::string_view body) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text(body);
  simdjson::dom::element answer;
  if (parser.parse(text).get(answer)) return fail(errc::unavailable, "its answer is not JSON");
  std::string_view token;
  if (answer["access_token"].get(token)) return fail(errc::unavailable, "its answer has no access_token");
  if (!is_token(token)) return fail(errc::unavailable, "its access_token cannot be sent in a header");
  const auto lifetime = lifetime_of(answer);
  if (!lifetime) return fail(errc::unavailable, "its expires_in is no time");
  return token_answer{std::string(token), *lifetime};
}

result<std::unique_ptr<access_tokens>> access_tokens::make(access_token_options options) {
  auto client = http_client::make({.at = options.at, .body_bytes_max = 64 * 1024});
  if (!client) return std::unexpected(client.error());
  return std::make_unique<access_tokens>(std::move(*client), std::move(options));
}

access_tokens::access_tokens(std::unique_ptr<http_client> client, access_token_options options)
    : client_(std::move(client)), options_(std::move(options)) {
  require(options_.time != nullptr, "access tokens need a clock");
}

result<token_answer> access_tokens::ask(deadline until) {
  const auto failed = [this](std::string_view why) {
    return fail(errc::unavailable, fmt::format("No access token from {}: {}.", client_->where(), why));
  };
  const auto reply =
      client_->call({.method = "POST",
                     .target = options_.at.target,
                     .headers = {{"Accept", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}},
                     .body = fmt::format("grant_type=client_credentials&client_id={}&client_secret={}",
                                         form_encoded(options_.client_id), form_encoded(options_.client_secret))},
                    until);
  if (reply.how != transfer::answered) {
    auto why = reply.error;
    while (why.ends_with('.')) why.pop_back();
    return failed(why);
  }
  if (reply.status != 200) {
    const auto word = error_word(reply.body);
    return failed(fmt::format("it answered {}{}", reply.status, word.empty() ? "" : fmt::format(" ({})", word)));
  }
  auto answer = parse_token_answer(reply.body);
  if (!answer) return failed(answer.error().message);
  return answer;
}

result<std::string> access_tokens::current(deadline until) {
  std::unique_lock hold(guard_);
  for (;;) {
    const auto now = options_.time->monotonic();
    if (!token_.empty() && now < renew_at_) return token_;
    if (!asking_) {
      const bool usable = !token_.empty() && now < ends_at_;
      if (failure_ && now < failure_ends_at_) return usable ? result<std::string>(token_) : std::unexpected(*failure_);
      asking_ = true;
      hold.unlock();
      auto answer = ask(until);
      const auto after = options_.time->monotonic();
      hold.lock();
      asking_ = false;
      changed_.notify_all();
      if (!answer) {
        // One who had hardly any time left tells the others nothing.
        if (std::chrono::steady_clock::now() < until) {
          failure_ = answer.error();
          failure_ends_at_ = after + failure_holds;
        }
        if (!token_.empty() && after < ends_at_) return token_;
        return std::unexpected(answer.error());
      }
      failure_.reset();
      token_ = std::move(answer->token);
      // From when it was asked for: it is as old as that.
      ends_at_ = now + answer->lifetime;
      const std::chrono::nanoseconds lifetime = answer->lifetime;
      renew_at_ = ends_at_ - std::min<std::chrono::nanoseconds>(early_max, lifetime / 5);
      return token_;
    }
    if (!token_.empty() && now < ends_at_) return token_;
    if (changed_.wait_until(hold, until) == std::cv_status::timeout && asking_)
      return fail(errc::unavailable, fmt::format("No access token from {} in time.", client_->where()));
  }
}

void access_tokens::drop(std::string_view token) {
  const std::scoped_lock hold(guard_);
  if (token_ == token) token_.clear();
}

} // namespace matricula::connectors
