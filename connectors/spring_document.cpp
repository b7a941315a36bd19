#include "connectors/spring_document.hpp"

#include <fmt/format.h>
#include <simdjson.h>

namespace matricula::connectors {

namespace {

constexpr int depth_max = 8;
constexpr int placeholders_max = 100;
constexpr std::size_t value_bytes_max = 4096;

std::unexpected<error> no_document(std::string_view why) {
  return fail(errc::invalid_argument,
              fmt::format("The answer is no document of a Spring Cloud Config server: {}.", why));
}

std::optional<std::string> text_of(simdjson::dom::element value) {
  switch (value.type()) {
  case simdjson::dom::element_type::STRING:
    return std::string(value.get_string().value_unsafe());
  case simdjson::dom::element_type::INT64:
  case simdjson::dom::element_type::UINT64:
  case simdjson::dom::element_type::DOUBLE:
  case simdjson::dom::element_type::BOOL:
    return simdjson::to_string(value);
  default:
    return std::nullopt;
  }
}

/// Puts values in for placeholders, within bounds: placeholders may hold placeholders, and a few lines of them could
/// keep a processor busy for ever.
class substitution {
public:
  explicit substitution(const properties& all) : all_(all) {}

  result<std::string> put_in(std::string_view text, int depth = 0) {
    if (text.size() > value_bytes_max) return fail(errc::invalid_argument, "the value is too long");
    std::string out;
    for (;;) {
      const auto begin = text.find("${");
      out += text.substr(0, begin);
      if (out.size() > value_bytes_max) return fail(errc::invalid_argument, "the value is too long");
      if (begin == std::string_view::npos) return out;
      const auto end = end_of(text, begin + 2);
      if (end == std::string_view::npos) return fail(errc::invalid_argument, "a placeholder does not end");
      const auto value = value_of(text.substr(begin + 2, end - begin - 2), depth);
      if (!value) return value;
      out += *value;
      text.remove_prefix(end + 1);
    }
  }

private:
  /// `inside` of "${inside}".
  result<std::string> value_of(std::string_view inside, int depth) {
    const auto colon = inside.find(':');
    const auto name = inside.substr(0, colon);
    if (depth >= depth_max || ++done_ > placeholders_max)
      return fail(errc::invalid_argument, "its placeholders go round in a circle or are too many");
    if (const auto found = all_.find(name); found != all_.end()) return put_in(found->second, depth + 1);
    if (colon == std::string_view::npos)
      return fail(errc::invalid_argument, "there is no value for one of its placeholders, and no default");
    return put_in(inside.substr(colon + 1), depth + 1);
  }

  /// Where the placeholder that begins before `at` ends; npos when it does not.
  static std::size_t end_of(std::string_view text, std::size_t at) {
    int open = 1;
    for (; at < text.size(); ++at) {
      if (text.substr(at).starts_with("${")) ++open;
      if (text[at] == '}' && --open == 0) return at;
    }
    return std::string_view::npos;
  }

  const properties& all_;
  int done_ = 0;
};

} // namespace

result<properties> parse_spring_document(std::string_view text) {
  if (text.size() > document_bytes_max) return no_document("it is too large");
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (const auto bad = parser.parse(simdjson::padded_string(text)).get(document))
    return no_document(simdjson::error_message(bad));
  simdjson::dom::array sources;
  if (document["propertySources"].get(sources)) return no_document("it has no list propertySources");
  properties all;
  for (const auto source : sources) {
    simdjson::dom::object values;
    if (source["source"].get(values)) return no_document("a property source has no object `source`");
    for (const auto [name, value] : values)
      if (auto written = text_of(value)) all.try_emplace(std::string(name), std::move(*written));
  }
  return all;
}

result<std::optional<std::string>> resolve(const properties& all, std::string_view name) {
  const auto found = all.find(name);
  if (found == all.end()) return std::optional<std::string>{};
  auto value = substitution(all).put_in(found->second);
  if (!value) return std::unexpected(value.error());
  return std::optional(std::move(*value));
}

} // namespace matricula::connectors
