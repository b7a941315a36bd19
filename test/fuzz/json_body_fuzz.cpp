// Request bodies: what parses is UTF-8 and not too deep, and writing it gives text that parses to the same again.
#include "api/json.hpp"
#include "api/json_writer.hpp"

#include <cstdint>
#include <cstdlib>

namespace {
using namespace matricula::api::json;

void write(writer& w, const value& v, std::size_t depth) {
  if (depth > depth_max) std::abort();
  if (const auto* yes = v.as<bool>())
    w.value(*yes);
  else if (const auto* i = v.as<std::int64_t>())
    w.value(*i);
  else if (const auto* u = v.as<std::uint64_t>())
    w.value(*u);
  else if (const auto* d = v.as<double>())
    w.value(*d == 0 ? 0.0 : *d); // "-0" reads back as a whole number
  else if (const auto* text = v.as<std::string>())
    w.value(*text);
  else if (const auto* items = v.as<value::array>()) {
    w.begin_array();
    for (const auto& item : *items) write(w, item, depth + 1);
    w.end_array();
  } else if (const auto* members = v.as<value::object>()) {
    w.begin_object();
    for (const auto& [name, held] : *members) {
      w.key(name);
      write(w, held, depth + 1);
    }
    w.end_object();
  } else {
    w.null();
  }
}

std::string to_text(const value& v) {
  writer w;
  write(w, v, 0);
  return std::move(w).str();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  fields body(bytes);
  (void)body.whole("count", {.least = 1, .most = 10, .fallback = 1});
  (void)body.optional_text("holder", {});
  (void)body.optional_time("expires_at");
  (void)body.yes_or_no("urgent", false);
  (void)body.wrong();
  const auto first = parse(bytes);
  if (!first) return 0;
  if (!is_utf8(bytes)) std::abort();
  const auto text = to_text(*first);
  const auto second = parse(text);
  if (!second || to_text(*second) != text) std::abort();
  return 0;
}
