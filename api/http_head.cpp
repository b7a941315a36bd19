#include "api/http_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace matricula::api {

namespace {
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool same_name(std::string_view a, std::string_view b) noexcept { return std::ranges::equal(a, b, {}, lower, lower); }

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").contains(c);
  });
}

std::unexpected<refusal> malformed(const char* what) { return refuse(400, errc::invalid_argument, what); }

/// What would be ambiguous if it came twice.
bool must_be_single(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 9> single = {"host",          "content-length", "transfer-encoding",
                                                      "authorization", "content-type",   "idempotency-key",
                                                      "expect",        "x-request-id",   "x-request-timeout-ms"};
  return std::ranges::any_of(single, [name](std::string_view one) { return same_name(one, name); });
}

outcome<bool> parse_request_line(std::string_view line, const head_limits& limits, request_head& into) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return malformed("The request line is malformed.");
  into.method = line.substr(0, first);
  into.target = line.substr(first + 1, last - first - 1);
  const auto version = line.substr(last + 1);
  if (!is_token(into.method)) return malformed("The request line is malformed.");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    if (version.starts_with("HTTP/")) return refuse(505, errc::unsupported, "Only HTTP/1.1 is served.");
    return malformed("The request line is malformed.");
  }
  if (into.target.size() > limits.target_bytes_max)
    return refuse(414, errc::payload_too_large,
                  "The URL is over " + std::to_string(limits.target_bytes_max) + " bytes.");
  const auto is_allowed = [](char c) { return c > 0x20 && c < 0x7f && c != '#'; };
  if (!into.target.starts_with('/') || !std::ranges::all_of(into.target, is_allowed))
    return malformed("The URL must be a path of printable ASCII, percent-encoded.");
  constexpr std::array<std::string_view, 7> known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  if (std::ranges::find(known, into.method) == known.end())
    return refuse(501, errc::unsupported, "The method is not served.");
  return version == "HTTP/1.0";
}

outcome<void> parse_field(std::string_view line, request_head& into) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon)))
    return malformed("A header line is malformed.");
  auto value = line.substr(colon + 1);
  const auto from = std::min(value.find_first_not_of(" \t"), value.size());
  value.remove_prefix(from);
  value = value.substr(0, value.find_last_not_of(" \t") + 1);
  const auto is_control = [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; };
  if (std::ranges::any_of(value, is_control)) return malformed("A header has a control character.");
  const auto name = line.substr(0, colon);
  const auto same = [name](const auto& field) { return same_name(field.first, name); };
  if (std::ranges::any_of(into.fields, same) && must_be_single(name))
    return malformed("A header that may come once came twice.");
  into.fields.emplace_back(name, value);
  return {};
}

/// How long the body is and whether the connection goes on. Source: RFC 9112, sections 6 and 9.3.
outcome<void> parse_framing(bool http_1_0, request_head& into) {
  for (const auto& [name, value] : into.fields) {
    if (same_name(name, "content-length")) {
      const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), into.content_length);
      const bool digits = std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
      if (value.empty() || !digits || bad != std::errc{} || end != value.data() + value.size())
        return malformed("The Content-Length is not a number.");
    } else if (same_name(name, "transfer-encoding")) {
      if (!same_name(value, "chunked"))
        return refuse(501, errc::unsupported, "Only the transfer coding chunked is served.");
      into.chunked = true;
    } else if (same_name(name, "expect")) {
      if (!same_name(value, "100-continue"))
        return refuse(417, errc::unsupported, "Only Expect: 100-continue is served.");
      into.expects_continue = true;
    } else if (same_name(name, "connection")) {
      for (auto rest = value; !rest.empty();) {
        const auto comma = std::min(rest.find(','), rest.size());
        auto option = rest.substr(0, comma);
        option.remove_prefix(std::min(option.find_first_not_of(" \t"), option.size()));
        option = option.substr(0, option.find_last_not_of(" \t") + 1);
        if (same_name(option, "close")) into.close = true;
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
    }
  }
  if (into.chunked && !into.find("content-length").empty())
    return malformed("A request has either a Content-Length or a transfer coding.");
  if (into.chunked && http_1_0) return malformed("HTTP/1.0 has no transfer codings.");
  if (!http_1_0 && std::ranges::none_of(into.fields, [](const auto& f) { return same_name(f.first, "host"); }))
    return malformed("The Host header is missing.");
  if (http_1_0) into.close = true;
  return {};
}
} // namespace

std::string_view request_head::find(std::string_view name) const noexcept {
  for (const auto& [own, value] : fields)
    if (own.size() == name.size() && same_name(own, name)) return value;
  return {};
}

outcome<void> parse_head(std::string_view text, const head_limits& limits, request_head& into) {
  into.fields.clear();
  into.content_length = 0;
  into.chunked = into.expects_continue = into.close = false;
  bool first = true;
  bool http_1_0 = false;
  for (;;) {
    const auto end = text.find("\r\n");
    if (end == std::string_view::npos) return malformed("The head of the request is cut off.");
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 2);
    if (line.empty() && !first) break;
    if (first) {
      const auto version = parse_request_line(line, limits, into);
      if (!version) return std::unexpected(version.error());
      http_1_0 = *version;
      first = false;
      continue;
    }
    if (into.fields.size() == limits.fields_max)
      return refuse(431, errc::payload_too_large, "More than " + std::to_string(limits.fields_max) + " headers.");
    if (auto ok = parse_field(line, into); !ok) return ok;
  }
  if (!text.empty()) return malformed("The head of the request is malformed.");
  return parse_framing(http_1_0, into);
}

} // namespace matricula::api
