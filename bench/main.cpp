/// Measures a node beside itself and writes one table, and JSON beside it.
#include "bench/observation.hpp"
#include "bench/report.hpp"
#include "bench/scenarios.hpp"
#include "bench/task_nodes.hpp"
#include "test/support/node_process.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <functional>
#include <thread>

namespace {

using namespace matricula;
using namespace matricula::bench;

constexpr int exit_failed = 1;
constexpr int exit_missed = 2;

struct options {
  std::string binary;
  std::filesystem::path json = "build/bench.json";
  std::vector<std::string> only;
  bool quick = false;
  bool check = false;
};

extent quick_extent() {
  using std::chrono::milliseconds;
  return {.slice = milliseconds{300},
          .slice_pairs = 10,
          .search_slice = milliseconds{150},
          .batches = milliseconds{3'000},
          .store_identifiers = 500'000,
          .assigned_few = 50'000,
          .assigned_many = 500'000,
          .expirer_runs = 5,
          .generation = milliseconds{50},
          .raw_syncs = milliseconds{300},
          .finished_tasks = 100'000,
          .task_slice = milliseconds{1'000},
          .task_slices = 3,
          .idle_samples = 100};
}

/// Everything that the run writes; on the disk that holds the report, and gone with the object.
class work_folder {
public:
  explicit work_folder(const std::filesystem::path& beside) {
    const auto parent = beside.has_parent_path() ? beside.parent_path() : std::filesystem::path(".");
    std::filesystem::create_directories(parent);
    auto name = (std::filesystem::absolute(parent) / "bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder in " + parent.string());
    path_ = name;
    // The node's log, too, should be on this disk and not in memory.
    ::setenv("TMPDIR", path_.c_str(), 1);
  }
  ~work_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  work_folder(const work_folder&) = delete;
  work_folder& operator=(const work_folder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

private:
  std::filesystem::path path_;
};

report measure(const options& how, const std::filesystem::path& folder) {
  const auto how_long = how.quick ? quick_extent() : extent{};
  report found;
  const auto wanted = [&](std::string_view name) {
    return how.only.empty() || std::ranges::find(how.only, name) != how.only.end();
  };
  const auto step = [&](std::string_view name, const std::function<void()>& run) {
    if (!wanted(name)) return;
    std::fprintf(stderr, "measuring: %.*s\n", static_cast<int>(name.size()), name.data());
    run();
  };
  step("disk", [&] { raw_syncs(folder, how_long, found); });
  step("generation", [&] { generation(how_long, found); });
  if (wanted("single") || wanted("batch") || wanted("restart")) {
    test::node_process node({.arguments = {"--bench-route"}, .data = folder / "data"});
    node.start();
    wait_until_counted(node);
    step("single", [&] { single_issue(node, folder, how_long, found); });
    step("batch", [&] {
      batch_issue(node, {"uin", "UINs of 10 digits", 200'000}, how_long, found);
      batch_issue(node, {"vid", "VIDs of 16 digits", 60'000}, how_long, found);
    });
    step("restart", [&] { restart(node, how_long, found); });
  }
  step("expirer", [&] { expirer(folder, how_long, found); });
  step("idle", [&] { idle(folder, how_long, found); });
  if (wanted("tasks") || wanted("registrants")) {
    std::fprintf(stderr, "filling a store with finished tasks\n");
    const filled_node filled(folder / "filled", how_long.finished_tasks);
    step("tasks", [&] { tasks(filled, folder, how_long, found); });
    step("registrants", [&] { registrants(filled, folder, how_long, found); });
  }
  return found;
}

} // namespace

int main(int argc, char** argv) {
  options how;
  CLI::App app{"Measures a Matricula node on this machine"};
  app.add_option("--binary", how.binary, "The node's program; without it the one that was built with this");
  app.add_option("--json", how.json, "Where to write the figures")->capture_default_str();
  app.add_option("--only", how.only, "Only these")
      ->delimiter(',')
      ->check(CLI::IsMember(
          {"disk", "generation", "single", "batch", "restart", "expirer", "idle", "tasks", "registrants"}));
  app.add_flag("--quick", how.quick, "Shorter, with a smaller store and more noise");
  app.add_flag("--check", how.check, "Status 2 when a target is missed");
  CLI11_PARSE(app, argc, argv);
  try {
    if (!how.binary.empty()) ::setenv("MATRICULA_BINARY", how.binary.c_str(), 1);
    const work_folder folder(how.json);
    const auto found = measure(how, folder.path());
    std::printf("\nMatricula " MATRICULA_VERSION ", %u processors, load generator on the same machine%s\n\n%s",
                std::thread::hardware_concurrency(), how.quick ? ", quick" : "", found.table().c_str());
    auto json = found.json();
    json["version"] = MATRICULA_VERSION;
    json["processors"] = std::thread::hardware_concurrency();
    json["quick"] = how.quick;
    json["at"] = std::time(nullptr);
    std::ofstream(how.json) << json.dump(2) << "\n";
    std::printf("\nThe same as JSON: %s\n", how.json.c_str());
    if (found.missed() == 0) return 0;
    std::printf("%zu of the targets missed\n", found.missed());
    return how.check ? exit_missed : 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench: %s\n", e.what());
    return exit_failed;
  }
}
