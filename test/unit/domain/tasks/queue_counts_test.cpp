#include "domain/tasks/queue_counts.hpp"

#include <gtest/gtest.h>

namespace matricula::tasks {
namespace {

TEST(the_counters_of_a_queue, are_read_as_they_were_written_and_refused_otherwise) {
  queue_counts c;
  EXPECT_EQ(decode_queue_counts(encode(c)).value(), c);
  c.of(task_state::pending) = 1;
  c.of(task_state::running) = 200;
  c.of(task_state::completed) = UINT64_MAX;
  c.of(task_state::failed) = 4;
  c.of(task_state::cancelled) = 5;
  c.queued_total = 70'000;
  c.tries_total = 8;
  c.purged_total = 9;
  c.paused = true;
  const auto bytes = encode(c);
  EXPECT_EQ(decode_queue_counts(bytes).value(), c);
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const auto read = decode_queue_counts(bytes.substr(0, n));
    ASSERT_FALSE(read) << n;
    EXPECT_EQ(read.error().code, errc::corrupt);
  }
  EXPECT_FALSE(decode_queue_counts(bytes + '\1'));
  auto other = bytes;
  other[0] = 2;
  EXPECT_FALSE(decode_queue_counts(other)) << "another version";
  other = bytes;
  other[1] = 2;
  EXPECT_FALSE(decode_queue_counts(other)) << "neither paused nor not";
}

} // namespace
} // namespace matricula::tasks
