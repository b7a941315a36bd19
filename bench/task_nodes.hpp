/// The nodes on which tasks and registrants are measured: empty ones, and one with many finished tasks.
#pragma once
#include "bench/report.hpp"
#include "test/support/node_process.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace matricula::bench {

/// A new node with the worker type `noop` and one identifier type, `uin`. Its pool holds 20,000 and is refilled when
/// 2,000 are used: a slice of registrants has several refills in it and never waits for one. Ready, its capacity
/// counted.
class task_node {
public:
  explicit task_node(std::filesystem::path data);
  [[nodiscard]] const test::node_process& process() const noexcept { return node_; }

private:
  test::node_process node_;
};

/// A node whose store has so many finished tasks, all of them kept, put there through the API.
class filled_node {
public:
  filled_node(std::filesystem::path data, std::uint64_t tasks);
  [[nodiscard]] const test::node_process& process() const noexcept { return node_.process(); }
  /// Finished tasks that it was filled with; each slice that is measured on it adds to them.
  [[nodiscard]] std::uint64_t tasks() const noexcept { return tasks_; }
  /// For people: how long it took.
  [[nodiscard]] const std::string& filled() const noexcept { return filled_; }

private:
  task_node node_;
  std::uint64_t tasks_ = 0;
  std::string filled_;
};

enum class store_of : std::uint8_t { empty, many };
/// Measures one slice and returns its rate.
using measured_slice = std::function<double(const test::node_process&, store_of)>;

struct slice_rates {
  std::vector<double> empty, many;
  [[nodiscard]] std::vector<double> ratios() const; ///< empty / many, of each pair
};

/// Slices on a new node and on the filled one take turns, so that both see the same moods of the machine.
/// @param folder where the new nodes keep what they write; `name` tells those of a scenario from others.
[[nodiscard]] slice_rates in_turns(const filled_node& many, const std::filesystem::path& folder,
                                   const std::string& name, std::size_t slices, const measured_slice& measure);

/// Adds the median of the ratios, which is asked to be 1.5 at most, and the rates to the details.
void add_ratio(report& to, const std::string& name, const slice_rates& rates);
/// For people: how many slices and how far they lie apart.
[[nodiscard]] std::string spread_of(const slice_rates& rates, std::chrono::milliseconds slice);

} // namespace matricula::bench
