#include "test/sim/worker.hpp"

#include "foundation/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <new>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace matricula::sim {

namespace {

constexpr std::size_t workers = 2;
constexpr std::size_t told_max = 3;
constexpr std::size_t text_max = 1'000;

/// What a worker has done so far, in memory that outlives it.
struct shared_page {
  std::uint64_t current_seed;
  std::uint64_t violating_seeds;
  std::uint64_t first_violating_seed;
  std::uint64_t trace_hash;
  std::uint64_t told;
  std::array<std::uint64_t, counters> counts;
  char text[told_max][text_max];
};

std::string replay(std::uint64_t seed, planted_bug bug, std::string_view what) {
  const auto with = bug == planted_bug::none ? std::string{} : fmt::format(" MATRICULA_SIM_BUG={}", to_string(bug));
  return fmt::format("seed {}: {}\n    replay: MATRICULA_SIM_SEED={}{} sim --gtest_filter=sim.replays_a_seed", seed,
                     what, seed, with);
}

void work(shared_page& page, std::uint64_t first, std::uint64_t end, planted_bug bug, bool stop_at_first) {
  // The node's own log would drown the report; a seed that is replayed shows it.
  if (const int nowhere = ::open("/dev/null", O_WRONLY); nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  for (auto seed = first; seed < end; seed += workers) {
    page.current_seed = seed;
    const auto report = run_seed(seed, bug);
    for (std::size_t i = 0; i < counters; ++i) page.counts[i] += report.counts[i];
    page.trace_hash ^= report.trace_hash * (2 * seed + 1);
    if (report.violations.empty()) continue;
    ++page.violating_seeds;
    if (page.first_violating_seed == 0) page.first_violating_seed = seed;
    if (page.told < told_max) {
      const auto text = replay(seed, bug, report.violations.front());
      std::strncpy(page.text[page.told++], text.c_str(), text_max - 1);
    }
    if (stop_at_first) break;
  }
  page.current_seed = 0;
}

} // namespace

seeds_report run_seeds(std::uint64_t first, std::uint64_t count, planted_bug bug, bool stop_at_first) {
  const auto began = std::chrono::steady_clock::now();
  void* memory =
      ::mmap(nullptr, sizeof(shared_page) * workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "there is memory for the workers' reports");
  auto* pages = new (memory) shared_page[workers]{};
  std::array<pid_t, workers> children{};
  for (std::size_t w = 0; w < workers; ++w) {
    children[w] = ::fork();
    require(children[w] >= 0, "a worker can be started");
    if (children[w] != 0) continue;
    work(pages[w], first + w, first + count, bug, stop_at_first);
    ::_exit(0);
  }
  seeds_report out;
  for (std::size_t w = 0; w < workers; ++w) {
    int status = 0;
    require(::waitpid(children[w], &status, 0) == children[w], "a worker can be waited for");
    auto& page = pages[w];
    if (page.current_seed != 0) { // it did not come to its end
      ++page.violating_seeds;
      if (page.first_violating_seed == 0) page.first_violating_seed = page.current_seed;
      out.violations.push_back(
          replay(page.current_seed, bug,
                 fmt::format("the process ended with {} {}", WIFSIGNALED(status) ? "signal" : "status",
                             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status))));
    }
    for (std::size_t i = 0; i < counters; ++i) out.counts[i] += page.counts[i];
    out.trace_hash ^= page.trace_hash;
    out.violating_seeds += page.violating_seeds;
    if (page.first_violating_seed != 0 &&
        (out.first_violating_seed == 0 || page.first_violating_seed < out.first_violating_seed))
      out.first_violating_seed = page.first_violating_seed;
    for (std::size_t i = 0; i < page.told; ++i) out.violations.emplace_back(page.text[i]);
  }
  ::munmap(memory, sizeof(shared_page) * workers);
  if (out.violations.size() > told_max) out.violations.resize(told_max);
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return out;
}

std::string seeds_report::to_text() const {
  std::string out;
  for (std::size_t i = 0; i < counters; ++i)
    out += fmt::format("  {:<22} {}\n", to_string(static_cast<counter>(i)), counts[i]);
  out +=
      fmt::format("  {:<22} {:016x}\n  {:<22} {:.1f} s, {:.1f} ms a seed\n", "trace_hash", trace_hash, "time", seconds,
                  1'000 * seconds / static_cast<double>(std::max<std::uint64_t>(1, (*this)[counter::seeds])));
  for (const auto& v : violations) out += "  " + v + "\n";
  return out;
}

} // namespace matricula::sim
