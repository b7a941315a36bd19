/// What the outside knows of the schedules: which run was sent, which was remembered, and which must therefore not come
/// or must have come.
#pragma once
#include "runtime/scheduler.hpp"
#include "storage/view.hpp"
#include "test/sim/findings.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

namespace matricula::sim {

/// A job of the simulated node.
struct sim_job {
  std::string name;
  runtime::cron_expression when;
  runtime::missed_run on_missed;
  bool hold_while_clock_is_suspect;
  std::size_t type; ///< whose expirer it starts
};
/// Made once a process: one that catches up, one that skips, one that runs whatever the clock does.
[[nodiscard]] const std::vector<sim_job>& sim_jobs();

class runs {
public:
  static constexpr milliseconds look_max{500};
  static constexpr milliseconds late_max{3'000};

  explicit runs(findings& found) : found_(found) {}

  void life_begins(const storage::view& durable);
  void life_ends() noexcept { alive_ = false; }
  [[nodiscard]] bool alive() const noexcept { return alive_; }

  // -- what the scheduler does. `now`: the time of decisions; `held`: whether the clock has jumped --------------------
  void loaded(const runtime::schedule_memory::last_runs& known);
  void asked_to_remember(const std::string& job, timestamp due, timestamp now, bool held);
  void remembered(const std::string& job, timestamp due);
  void sent(const runtime::scheduled_run& run, timestamp now, bool held);

  /// Whether every run that was due by `now` was remembered.
  [[nodiscard]] bool up_to_date(timestamp now) const;
  /// Which job is not.
  [[nodiscard]] std::string behind(timestamp now) const;

  [[nodiscard]] std::uint64_t sent_on_time() const noexcept { return sent_on_time_; }
  [[nodiscard]] std::uint64_t caught_up() const noexcept { return caught_up_; }
  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
  [[nodiscard]] std::uint64_t sent_again() const noexcept { return sent_again_; }

private:
  struct job {
    std::optional<timestamp> durable;     ///< the last run that is durably remembered
    bool known = false;                   ///< whether the present scheduler has a beginning for it
    std::optional<timestamp> latest;      ///< that the present scheduler sent or asked to remember
    std::map<timestamp, timestamp> asked; ///< to remember, by due time: when first
    std::set<timestamp> sent;             ///< in all lives
    std::set<timestamp> beginnings;       ///< due times that are no runs: from there on the job counts
  };
  void check_due(const sim_job& spec, const job& j, timestamp due, timestamp now, bool held);

  findings& found_;
  bool alive_ = false;
  std::map<std::string, job> jobs_;
  std::uint64_t sent_on_time_ = 0;
  std::uint64_t caught_up_ = 0;
  std::uint64_t skipped_ = 0;
  std::uint64_t sent_again_ = 0;
};

/// The memory of the scheduler, with somebody who looks on.
class watched_memory final : public runtime::schedule_memory {
public:
  struct moment {
    timestamp now;
    bool held;
  };
  watched_memory(std::shared_ptr<runtime::schedule_memory> real, runs& known, std::function<moment()> now)
      : real_(std::move(real)), known_(known), now_(std::move(now)) {}

  void load(std::function<void(result<last_runs>)> done) override;
  void remember(const std::string& job, timestamp last_run, std::function<void(result<void>)> done) override;

private:
  std::shared_ptr<runtime::schedule_memory> real_;
  runs& known_;
  std::function<moment()> now_;
};

} // namespace matricula::sim
