#include "test/sim/worker.hpp"

#include "foundation/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <map>
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
  std::uint64_t seed_with_symptom;
  std::uint64_t trace_hash;
  std::uint64_t told;
  std::array<std::uint64_t, counters> counts;
  char text[told_max][text_max];
  char symptom_text[text_max];

  void tell(std::string_view what) {
    if (told < told_max) what.copy(text[told++], text_max - 1);
  }
  void found(std::uint64_t seed) {
    ++violating_seeds;
    if (first_violating_seed == 0) first_violating_seed = seed;
  }
  void shown(std::uint64_t seed, std::string_view what) {
    seed_with_symptom = seed;
    what.copy(symptom_text, text_max - 1);
  }
};

std::string replay(std::uint64_t seed, planted_bug bug, std::string_view what) {
  const auto with = bug == planted_bug::none ? std::string{} : fmt::format(" MATRICULA_SIM_BUG={}", to_string(bug));
  return fmt::format("seed {}: {}\n    replay: MATRICULA_SIM_SEED={}{} sim --gtest_filter=sim.replays_a_seed", seed,
                     what, seed, with);
}

void work(shared_page& page, std::uint64_t first, std::uint64_t end, planted_bug bug, std::optional<symptom> until) {
  // The node's own log would drown the report; a seed that is replayed shows it.
  if (const int nowhere = ::open("/dev/null", O_WRONLY); nowhere >= 0) ::dup2(nowhere, STDERR_FILENO);
  for (auto seed = first; seed < end; seed += workers) {
    page.current_seed = seed;
    const auto report = run_seed(seed, bug);
    for (std::size_t i = 0; i < counters; ++i) page.counts[i] += report.counts[i];
    page.trace_hash ^= report.trace_hash * (2 * seed + 1);
    if (report.violations.empty()) continue;
    page.found(seed);
    page.tell(replay(seed, bug, report.violations.front()));
    if (!until) continue;
    if (const auto& shown = report.first[static_cast<std::size_t>(*until)]; !shown.empty()) {
      page.shown(seed, replay(seed, bug, shown));
      break;
    }
  }
  page.current_seed = 0;
}

pid_t start(shared_page& page, std::uint64_t first, std::uint64_t end, planted_bug bug, std::optional<symptom> until) {
  const auto child = ::fork();
  require(child >= 0, "a worker can be started");
  if (child != 0) return child;
  work(page, first, end, bug, until);
  ::_exit(0);
}

} // namespace

seeds_report run_seeds(std::uint64_t first, std::uint64_t count, planted_bug bug, std::optional<symptom> until) {
  const auto began = std::chrono::steady_clock::now();
  const auto end = first + count;
  void* memory =
      ::mmap(nullptr, sizeof(shared_page) * workers, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "there is memory for the workers' reports");
  auto* pages = new (memory) shared_page[workers]{};
  std::map<pid_t, shared_page*> at_work;
  for (std::size_t w = 0; w < workers; ++w) at_work.emplace(start(pages[w], first + w, end, bug, until), &pages[w]);
  seeds_report out;
  while (!at_work.empty()) {
    int status = 0;
    const auto child = ::waitpid(-1, &status, 0);
    require(child > 0 && at_work.contains(child), "a worker can be waited for");
    auto& page = *at_work.extract(child).mapped();
    const auto seed = page.current_seed;
    if (seed == 0) continue;
    // It did not come to its end: that is a finding too, and the next seed is not its fault.
    ++out.crashes;
    const auto what = fmt::format("the process ended with {} {}", WIFSIGNALED(status) ? "signal" : "status",
                                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    page.found(seed);
    page.tell(replay(seed, bug, what));
    page.current_seed = 0;
    if (until == symptom::process_ended)
      page.shown(seed, replay(seed, bug, what));
    else if (seed + workers < end)
      at_work.emplace(start(page, seed + workers, end, bug, until), &page);
  }
  for (std::size_t w = 0; w < workers; ++w) {
    const auto& page = pages[w];
    const auto earlier = [](std::uint64_t seed, std::uint64_t than) { return seed != 0 && (than == 0 || seed < than); };
    for (std::size_t i = 0; i < counters; ++i) out.counts[i] += page.counts[i];
    out.trace_hash ^= page.trace_hash;
    out.violating_seeds += page.violating_seeds;
    if (earlier(page.first_violating_seed, out.first_violating_seed))
      out.first_violating_seed = page.first_violating_seed;
    if (earlier(page.seed_with_symptom, out.first_seed_with_symptom)) {
      out.first_seed_with_symptom = page.seed_with_symptom;
      out.symptom_text = page.symptom_text;
    }
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
    out += fmt::format("  {:<24} {}\n", to_string(static_cast<counter>(i)), counts[i]);
  out +=
      fmt::format("  {:<24} {:016x}\n  {:<24} {:.1f} s, {:.1f} ms a seed\n", "trace_hash", trace_hash, "time", seconds,
                  1'000 * seconds / static_cast<double>(std::max<std::uint64_t>(1, (*this)[counter::seeds])));
  for (const auto& v : violations) out += "  " + v + "\n";
  return out;
}

} // namespace matricula::sim
