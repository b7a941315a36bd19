#include "api/compat/mosip_envelope.hpp"

#include "api/json_writer.hpp"
#include "api/problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace matricula::api::compat::mosip {

namespace {
void begin(json::writer& w, timestamp now, const echo& of) {
  const auto text_or_null = [&w](std::string_view name, const std::optional<std::string>& text) {
    w.key(name);
    if (text)
      w.value(*text);
    else
      w.null();
  };
  w.begin_object();
  text_or_null("id", of.id);
  text_or_null("version", of.version);
  w.member("responsetime", to_rfc3339(now)).key("metadata").null();
}

/// Whether the refusal is about the HTTP request rather than about what was asked for.
bool is_of_http(const refusal& why, int status) noexcept {
  constexpr std::array kept{401, 403, 405, 408, 413, 415};
  return std::ranges::find(kept, status) != kept.end() || why.cause.code == errc::overloaded ||
         why.cause.code == errc::quota_exceeded || why.status == 503;
}

/// The sentence, with the code before it where the family writes it so.
std::string worded(const fault& why, std::string_view sentence) {
  if (why.message.starts_with(why.code)) return fmt::format("{} --> {}", why.code, sentence);
  return std::string(sentence);
}
} // namespace

std::string success(timestamp now, const echo& of, std::string_view inner) {
  json::writer w;
  begin(w, now, of);
  w.key("response").raw(inner).key("errors").null().end_object();
  return std::move(w).str();
}

std::string failure(timestamp now, const echo& of, const fault& why, std::string_view message) {
  json::writer w(384);
  begin(w, now, of);
  w.key("response").null().key("errors").begin_array().begin_object();
  w.member("errorCode", why.code).member("message", message.empty() ? std::string(why.message) : worded(why, message));
  w.end_object().end_array().end_object();
  return std::move(w).str();
}

void refuse(const refusal& why, const fault& all_else, timestamp now, response& answer) {
  const int status = answer.status;
  answer.content_type = "application/json";
  if (!is_of_http(why, status)) answer.status = 200;
  if (status == 401)
    answer.body = failure(now, {}, not_authenticated);
  else if (status == 403)
    answer.body = failure(now, {}, not_allowed);
  else
    answer.body = failure(now, {}, all_else, status == 500 ? std::string_view{} : detail_of(why));
}

} // namespace matricula::api::compat::mosip
