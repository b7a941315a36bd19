#include "storage/timeline.hpp"

#include "foundation/digest.hpp"
#include "storage/json_line.hpp"

#include <fmt/format.h>

#include <array>

namespace matricula::storage {

namespace {
constexpr std::string_view timeline_key{"\0timeline", 9}; // in shard 0
constexpr std::size_t digits = 32;
} // namespace

result<std::string> find_timeline(const store& in) {
  auto row = in.latest()->get(column::meta, timeline_key);
  if (!row) return std::unexpected(row.error());
  if (*row) return std::move(**row);
  return in.node_id();
}

result<void> begin_timeline(store& in, random_source& random) {
  batch rows(shard_id{0});
  rows.put(column::meta, timeline_key, fmt::format("{:016x}{:016x}", random.next(), random.next()));
  const std::array<const batch*, 1> group{&rows};
  // The time of the last group: settling is no reason to believe the clock.
  if (auto written = in.commit(group, in.last_durable_time()); !written) return std::unexpected(written.error());
  return {};
}

bool is_timeline_key(std::string_view key) noexcept { return key == timeline_key; }

result<std::string> describe_timeline(std::string_view value) {
  if (value.size() != digits || !from_hex(value)) return fail(errc::corrupt, "timeline: not 32 hexadecimal digits");
  return json_line{}.text("name", "timeline").text("value", value).str();
}

} // namespace matricula::storage
