#include "domain/tasks/queue_counts.hpp"

#include "foundation/bytes.hpp"

namespace matricula::tasks {

namespace {
constexpr std::uint8_t version = 1;
} // namespace

std::string encode(const queue_counts& c) {
  byte_writer out;
  out.u8(version).u8(c.paused ? 1 : 0);
  for (std::size_t i = 1; i < c.in_state.size(); ++i) out.varint(c.in_state[i]);
  out.varint(c.queued_total).varint(c.tries_total).varint(c.purged_total);
  return std::move(out).str();
}

result<queue_counts> decode_queue_counts(std::string_view bytes) {
  byte_reader in{bytes};
  const auto found_version = in.u8();
  const auto paused = in.u8();
  queue_counts c;
  for (std::size_t i = 1; i < c.in_state.size(); ++i) c.in_state[i] = in.varint();
  c.queued_total = in.varint();
  c.tries_total = in.varint();
  c.purged_total = in.varint();
  if (found_version != version || paused > 1 || !in.done())
    return fail(errc::corrupt, "counters of a task queue: unknown version or malformed");
  c.paused = paused == 1;
  return c;
}

} // namespace matricula::tasks
