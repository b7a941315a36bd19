#include "api/json.hpp"

#include "api/json_writer.hpp"

#include <simdjson.h>

#include <algorithm>

namespace matricula::api::json {

namespace {
namespace dom = simdjson::dom;

constexpr std::size_t text_bytes_max = std::size_t{256} << 20; // the parser's; bodies are bounded long before

/// Names are compared pair by pair in small objects and sorted in large ones.
const std::string* repeated_name(const value::object& members) {
  std::vector<const std::string*> names;
  names.reserve(members.size());
  for (const auto& m : members) names.push_back(&m.name);
  std::ranges::sort(names, {}, [](const std::string* s) -> const std::string& { return *s; });
  const auto twice = std::ranges::adjacent_find(names, [](auto* a, auto* b) { return *a == *b; });
  return twice == names.end() ? nullptr : *twice;
}

outcome<value> copy(const dom::element& from) {
  switch (from.type()) {
  case dom::element_type::NULL_VALUE:
    return value{null{}};
  case dom::element_type::BOOL:
    return value{bool(from)};
  case dom::element_type::INT64:
    return value{std::int64_t(from)};
  case dom::element_type::UINT64:
    return value{std::uint64_t(from)};
  case dom::element_type::DOUBLE:
    return value{double(from)};
  case dom::element_type::STRING:
    return value{std::string(std::string_view(from))};
  case dom::element_type::ARRAY: {
    value::array items;
    for (const auto item : dom::array(from)) {
      auto copied = copy(item);
      if (!copied) return copied;
      items.push_back(std::move(*copied));
    }
    return value{std::move(items)};
  }
  case dom::element_type::OBJECT: {
    value::object members;
    for (const auto [name, held] : dom::object(from)) {
      auto copied = copy(held);
      if (!copied) return copied;
      members.push_back({std::string(name), std::move(*copied)});
    }
    if (const auto* twice = repeated_name(members))
      return refuse(400, errc::invalid_argument, "The JSON has the name '" + *twice + "' twice in one object.");
    return value{std::move(members)};
  }
  }
  return refuse(400, errc::invalid_argument, "The body is not JSON.");
}

std::string why_not(simdjson::error_code code) {
  switch (code) {
  case simdjson::UTF8_ERROR:
    return "The body is not UTF-8.";
  case simdjson::DEPTH_ERROR:
    return "The JSON is nested more than " + std::to_string(depth_max) + " levels deep.";
  case simdjson::NUMBER_ERROR:
    return "The JSON has a number that is malformed or needs more than 64 bits.";
  case simdjson::STRING_ERROR:
    return "The JSON has a string with a bad escape.";
  case simdjson::EMPTY:
    return "A JSON body is required.";
  default:
    return "The body is not JSON.";
  }
}
} // namespace

outcome<value> parse(std::string_view text) {
  // One parser a thread: it keeps its buffers. The depth is allocated once, with the parser's first text.
  thread_local dom::parser parser(text_bytes_max);
  if (parser.max_depth() != depth_max || parser.capacity() < text.size()) {
    if (parser.allocate(std::max<std::size_t>(text.size(), 4096), depth_max) != simdjson::SUCCESS)
      return refuse(413, errc::payload_too_large, "The body is too large to parse.");
  }
  dom::element root;
  if (const auto code = parser.parse(text.data(), text.size()).get(root); code != simdjson::SUCCESS)
    return refuse(400, errc::invalid_argument, why_not(code));
  return copy(root);
}

fields::fields(std::string_view body, empty_body when_empty) {
  if (body.empty() && when_empty == empty_body::allowed) return;
  auto parsed = parse(body);
  if (!parsed) {
    wrong_ = std::move(parsed.error());
    return;
  }
  owned_ = std::move(*parsed);
  members_ = owned_->as<value::object>();
  if (!members_) wrong_.emplace(400, errc::invalid_argument, "The body must be a JSON object.");
}

fields::fields(const value& object, std::string path) : members_(object.as<value::object>()), path_(std::move(path)) {
  if (members_) return;
  auto name = path_.ends_with('.') ? path_.substr(0, path_.size() - 1) : path_;
  wrong_.emplace(422, errc::invalid_argument, "The field '" + name + "' must be an object.");
}

const value* fields::take(std::string_view name) {
  asked_.push_back(name);
  if (!members_ || wrong_) return nullptr;
  const auto found = std::ranges::find(*members_, name, &member::name);
  if (found == members_->end() || found->held.as<null>()) return nullptr;
  return &found->held;
}

void fields::refuse_field(std::string_view name, std::string_view why) {
  if (!wrong_)
    wrong_.emplace(422, errc::invalid_argument,
                   "The field '" + path_ + std::string(name) + "' " + std::string(why) + ".");
}

std::optional<std::int64_t> fields::optional_whole(std::string_view name, whole_range range) {
  const auto* found = take(name);
  if (!found) return range.fallback;
  const auto* number = found->as<std::int64_t>();
  if (number && *number >= range.least && *number <= range.most) return *number;
  refuse_field(name,
               "must be a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most));
  return range.fallback;
}

std::int64_t fields::whole(std::string_view name, whole_range range) {
  const auto number = optional_whole(name, range);
  if (!number) refuse_field(name, "is required");
  return number.value_or(range.least);
}

std::optional<std::string> fields::optional_text(std::string_view name, text_range range) {
  const auto* found = take(name);
  if (!found) return std::nullopt;
  const auto* text = found->as<std::string>();
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (!text) {
    refuse_field(name, "must be a string");
  } else if (text->size() < range.bytes_min || text->size() > range.bytes_max) {
    refuse_field(name, "must have from " + std::to_string(range.bytes_min) + " to " + std::to_string(range.bytes_max) +
                           " bytes");
  } else if (std::ranges::any_of(*text, is_control)) {
    refuse_field(name, "must have no control characters");
  } else {
    return *text;
  }
  return std::nullopt;
}

std::string fields::text(std::string_view name, text_range range) {
  auto found = optional_text(name, range);
  if (!found) refuse_field(name, "is required");
  return std::move(found).value_or("");
}

bool fields::yes_or_no(std::string_view name, bool fallback) {
  const auto* found = take(name);
  if (!found) return fallback;
  if (const auto* yes = found->as<bool>()) return *yes;
  refuse_field(name, "must be true or false");
  return fallback;
}

std::optional<timestamp> fields::optional_time(std::string_view name) {
  const auto* found = take(name);
  if (!found) return std::nullopt;
  if (const auto* text = found->as<std::string>())
    if (const auto time = parse_rfc3339(*text)) return *time;
  refuse_field(name, "must be an RFC 3339 time such as 2030-01-31T12:00:00Z");
  return std::nullopt;
}

const value* fields::any(std::string_view name) { return take(name); }

std::optional<refusal> fields::wrong() {
  if (wrong_ || !members_) return wrong_;
  for (const auto& m : *members_) {
    if (std::ranges::find(asked_, m.name) != asked_.end()) continue;
    std::string allowed;
    for (const auto name : asked_) allowed.append(allowed.empty() ? "" : ", ").append(name);
    return refusal(422, errc::invalid_argument,
                   "The field '" + path_ + m.name +
                       "' is not known here. Known: " + (allowed.empty() ? "none" : allowed) + ".");
  }
  return std::nullopt;
}

namespace {
void append(writer& w, const value& v) {
  std::visit(
      [&w]<class T>(const T& held) {
        if constexpr (std::is_same_v<T, null>) {
          w.null();
        } else if constexpr (std::is_same_v<T, value::array>) {
          w.begin_array();
          for (const auto& each : held) append(w, each);
          w.end_array();
        } else if constexpr (std::is_same_v<T, value::object>) {
          w.begin_object();
          for (const auto& each : held) append(w.key(each.name), each.held);
          w.end_object();
        } else {
          w.value(held);
        }
      },
      v.data);
}
} // namespace

std::string text_of(const value& v) {
  writer w;
  append(w, v);
  return std::move(w).str();
}

} // namespace matricula::api::json
