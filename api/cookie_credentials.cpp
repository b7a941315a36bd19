#include "api/cookie_credentials.hpp"

#include <algorithm>

namespace matricula::api {

namespace {
constexpr std::string_view cookie_name = "Authorization=";

bool is_cookie_octet(char c) noexcept { return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'; }

std::string_view trim(std::string_view text) noexcept {
  const auto first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

bool is_authorization(std::string_view name) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(name, std::string_view("authorization"), {}, lower);
}
} // namespace

std::optional<std::string_view> cookie_token(std::string_view cookies) noexcept {
  std::optional<std::string_view> found;
  while (!cookies.empty()) {
    const auto end = std::min(cookies.find(';'), cookies.size());
    auto pair = trim(cookies.substr(0, end));
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    if (!pair.starts_with(cookie_name)) continue;
    if (found) return std::nullopt;
    pair.remove_prefix(cookie_name.size());
    if (pair.size() >= 2 && pair.front() == '"' && pair.back() == '"') pair = pair.substr(1, pair.size() - 2);
    if (pair.empty() || !std::ranges::all_of(pair, is_cookie_octet)) return std::nullopt;
    found = pair;
  }
  return found;
}

with_cookie_credentials::with_cookie_credentials(incoming& from, bool cookies_count) : from_(from) {
  if (!cookies_count || !from_.header("Authorization").empty()) return;
  if (const auto token = cookie_token(from_.header("Cookie"))) authorization_ = "Bearer " + std::string(*token);
}

std::string_view with_cookie_credentials::header(std::string_view name) const {
  if (!authorization_.empty() && is_authorization(name)) return authorization_;
  return from_.header(name);
}

} // namespace matricula::api
