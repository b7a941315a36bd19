#include "api/page_size.hpp"

#include <charconv>

namespace matricula::api {

namespace {
constexpr std::size_t items_default = 100;
constexpr std::size_t items_max = 1'000;
} // namespace

outcome<std::size_t> page_size(const request& from) {
  const auto text = from.query_value("limit");
  if (!text) return items_default;
  std::size_t n = 0;
  const auto [end, bad] = std::from_chars(text->data(), text->data() + text->size(), n);
  if (bad != std::errc{} || end != text->data() + text->size() || n < 1 || n > items_max)
    return refuse(400, errc::invalid_argument,
                  "limit must be a whole number from 1 to " + std::to_string(items_max) + ".");
  return n;
}

} // namespace matricula::api
