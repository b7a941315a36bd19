#include "bench/load_generator.hpp"
#include "bench/observation.hpp"
#include "bench/scenarios.hpp"
#include "test/support/node_process.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <stdexcept>

namespace matricula::bench {

namespace {

constexpr std::size_t connections = 8;
constexpr std::uint64_t batch = 1'000;
constexpr std::uint64_t step_batches = 20;
constexpr double seconds_asked = 3.0;
constexpr double mebibytes_asked = 200;
/// The log counts as full at this share of the largest that was seen: it is emptied a little further on.
constexpr double full_share = 0.9;
constexpr double mebibyte = 1 << 20;
/// After so many identifiers the largest may have been an exception, a log that a slow disk had not let go of yet: from
/// there on less is enough with each step.
constexpr std::uint64_t identifiers_for_full_log = 1'000'000;
constexpr double less_each_step = 0.95;

std::uint64_t issued_so_far(const test::node_process& node) {
  const auto answer = node.client().send({.target = "/v1/ids/uin"});
  if (!answer || answer->status != 200) throw std::runtime_error("the node does not show its type uin");
  return nlohmann::json::parse(answer->body).at("issues_total").get<std::uint64_t>();
}

std::uint64_t log_bytes(const std::filesystem::path& data) {
  std::uint64_t bytes = 0;
  std::error_code gone; // files come and go meanwhile
  for (const auto& file : std::filesystem::directory_iterator(data, gone)) {
    if (file.path().extension() != ".log") continue;
    const auto size = file.file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

} // namespace

void restart(test::node_process& node, const extent& how_long, report& to) {
  const auto request = post_text("/v1/ids/uin", node.token(), R"({"count":1000})");
  std::uint64_t issued = issued_so_far(node);
  std::uint64_t largest_log = 0;
  {
    load_generator load(node.port(), connections);
    const auto issue_some = [&] {
      const auto seen = load.run_until(request, step_batches);
      issued += seen.accepted * batch;
      const auto now = log_bytes(node.data());
      largest_log = std::max(largest_log, now);
      return now;
    };
    while (issued < how_long.store_identifiers) (void)issue_some();
    const auto patient_to = issued + identifiers_for_full_log;
    auto share = full_share;
    while (static_cast<double>(issue_some()) < share * static_cast<double>(largest_log))
      if (issued > patient_to) share *= less_each_step;
  }
  const auto log_at_kill = log_bytes(node.data());
  node.kill();

  const auto began = std::chrono::steady_clock::now();
  node.start();
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - began;
  const auto resident = resident_bytes(node.pid());
  if (issued_so_far(node) < issued) throw std::runtime_error("the restarted node has lost identifiers");

  to.begin("Start after SIGKILL");
  to.add({"from exec to ready", taken.count(), "s", 2, target{bound::at_most, seconds_asked}});
  to.add({"resident memory then", static_cast<double>(resident) / mebibyte, "MiB", 0,
          target{bound::at_most, mebibytes_asked}});
  to.add({"identifiers in the store", static_cast<double>(issued), ""});
  to.add({"write-ahead log to recover", static_cast<double>(log_at_kill) / mebibyte, "MiB", 1});
  char text[120];
  std::snprintf(text, sizeof text, "the largest log seen while filling the store was %.1f MiB",
                static_cast<double>(largest_log) / mebibyte);
  to.note(text);
}

} // namespace matricula::bench
