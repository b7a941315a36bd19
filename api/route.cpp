#include "api/route.hpp"

#include <algorithm>
#include <charconv>

namespace matricula::api {

bool principal::may(std::string_view scope) const noexcept {
  return std::ranges::any_of(scopes, [scope](const std::string& own) {
    if (own == scope || own == "*") return true;
    return own.ends_with(":*") && scope.starts_with(std::string_view(own).substr(0, own.size() - 1));
  });
}

std::string_view request::param(std::string_view name) const {
  const auto found = std::ranges::find(params, name, &name_values::value_type::first);
  require(found != params.end(), "a handler asked for a path parameter that its template does not have");
  return found->second;
}

std::optional<std::string_view> request::query_value(std::string_view name) const {
  const auto found = std::ranges::find(query, name, &name_values::value_type::first);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

bool has_large_body(const request& r) noexcept {
  const auto sent = r.header("Content-Length");
  std::size_t bytes = 0;
  const auto [end, bad] = std::from_chars(sent.data(), sent.data() + sent.size(), bytes);
  return sent.empty() || bad != std::errc{} || end != sent.data() + sent.size() || bytes > small_body_bytes_max;
}

} // namespace matricula::api
