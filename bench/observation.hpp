/// What can be seen of a running node from outside: its processor time, memory, context switches and metrics.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace matricula::test {
class http_client;
class node_process;
} // namespace matricula::test

namespace matricula::bench {

/// Totals since the process began; the difference of two is what a run cost.
struct process_cost {
  double cpu_seconds = 0;             ///< of all threads, user and system
  std::uint64_t context_switches = 0; ///< of the threads that are alive, voluntary and not

  process_cost& operator+=(const process_cost& other) noexcept;
  process_cost operator-(const process_cost& other) const noexcept;
};
/// Throws std::runtime_error when there is no such process.
[[nodiscard]] process_cost cost_of(pid_t process);
/// Throws std::runtime_error when there is no such process.
[[nodiscard]] std::uint64_t resident_bytes(pid_t process);

/// The value of a metric without labels. Throws std::runtime_error when /metrics does not have it.
[[nodiscard]] double metric(test::http_client& node, std::string_view name);

/// Once after a node's first start its capacities are counted with whatever processor time is left over, some ten
/// seconds of it, which would show in every figure. Throws std::runtime_error when it takes longer than a minute.
void wait_until_counted(const test::node_process& node);
/// Adds settings with which that is over in a moment, for nodes that issue none of the types concerned.
[[nodiscard]] std::vector<std::string> little_to_count(std::vector<std::string> settings);

} // namespace matricula::bench
