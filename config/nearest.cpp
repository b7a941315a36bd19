#include "config/nearest.hpp"

#include "config/schema.hpp"

#include <algorithm>
#include <vector>

namespace matricula::config {
namespace {

constexpr std::size_t key_bytes_max = 200;

} // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, now);
  }
  return last[b.size()];
}

std::optional<std::string> nearest_key(std::string_view key, std::span<const std::string> candidates) {
  if (key.empty() || key.size() > key_bytes_max) return std::nullopt;
  const std::string* best = nullptr;
  std::size_t best_distance = std::max<std::size_t>(2, key.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const auto distance = edit_distance(key, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidate;
    }
  }
  // Two typing errors at most are a better guess than a key of that name elsewhere.
  if (!best || best_distance > 2)
    for (const auto& candidate : candidates)
      if (name_of(candidate) == name_of(key)) return candidate;
  return best ? std::optional(*best) : std::nullopt;
}

} // namespace matricula::config
