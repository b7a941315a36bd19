/// Runs many seeds in child processes, so that a crash of one is a finding and both cores work.
#pragma once
#include "test/sim/simulation.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace matricula::sim {

struct seeds_report {
  std::array<std::uint64_t, counters> counts{};
  std::uint64_t trace_hash = 0;
  std::uint64_t violating_seeds = 0;
  std::uint64_t first_violating_seed = 0;
  std::vector<std::string> violations; ///< the first of each of the first three such seeds, with how to replay it
  double seconds = 0;

  [[nodiscard]] std::uint64_t operator[](counter c) const noexcept { return counts[static_cast<std::size_t>(c)]; }
  /// A table for people.
  [[nodiscard]] std::string to_text() const;
};

/// Seeds first to first + count - 1. @param stop_at_first ends soon after the first seed with a violation
[[nodiscard]] seeds_report run_seeds(std::uint64_t first, std::uint64_t count, planted_bug bug, bool stop_at_first);

} // namespace matricula::sim
