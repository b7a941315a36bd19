/// Any text either is refused with a message or is a schedule whose runs lie in the future, in order.
#include "runtime/cron.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace matricula;
  if (size < 3) return 0;
  static constexpr std::string_view zones[] = {"UTC", "Africa/Casablanca", "Europe/Berlin", "Asia/Kathmandu"};
  const auto zone = zones[data[0] % 4];
  // Over about forty years from 2026.
  const timestamp from{std::chrono::milliseconds{1'770'000'000'000 + 20'000'003LL * (data[1] * 256 + data[2])}};
  const std::string_view text{reinterpret_cast<const char*>(data) + 3, size - 3};
  const auto cron = runtime::cron_expression::parse(text, zone);
  if (!cron) {
    if (cron.error().message.empty() || cron.error().code != errc::invalid_argument) std::abort();
    return 0;
  }
  auto t = from;
  for (int i = 0; i < 3; ++i) {
    const auto next = cron->next_after(t);
    if (!next) break;
    if (*next <= t) std::abort();
    if (cron->next_after(*next - std::chrono::milliseconds{1}) != next) std::abort();
    if (cron->next_after(t + (*next - t) / 2) != next) std::abort();
    t = *next;
  }
  return 0;
}
