#include "bench/task_answers.hpp"

#include <charconv>

namespace matricula::bench {

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name, std::size_t& at) {
  at = text.find(name, at);
  if (at == std::string_view::npos) return std::nullopt;
  at += name.size();
  std::uint64_t n = 0;
  if (std::from_chars(text.data() + at, text.data() + text.size(), n).ec != std::errc{}) return std::nullopt;
  return n;
}

std::vector<leased> leased_tasks(std::string_view body) {
  std::vector<leased> found;
  for (std::size_t at = 0;;) {
    const auto token = number_after(body, R"({"token":)", at);
    const auto id = token ? number_after(body, R"("id":)", at) : std::nullopt;
    if (!id) return found;
    found.push_back({*id, *token});
  }
}

} // namespace matricula::bench
