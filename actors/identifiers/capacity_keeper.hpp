/// Knows how many identifiers each type has, how fast they are used up and until when they last; warns in time.
/// Beside the actors: counting a space takes seconds of a processor, and nobody waits for it.
#pragma once
#include "actors/identifiers/type_context.hpp"
#include "domain/identifiers/usage_history.hpp"
#include "storage/capacities.hpp"
#include "storage/notebook.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace matricula::actors {

/// What is known of one type now.
struct capacity_report {
  identifiers::capacity_estimate capacity;
  std::uint64_t used = 0;                   ///< valid identifiers that are in use, cooling or retired
  std::optional<double> per_second_of_hour; ///< used up over the last hour, imports not counted
  std::optional<double> per_second_of_day;  ///< over the last day
  identifiers::capacity_forecast outlook;
};

struct capacity_options {
  /// Spaces of about so many valid identifiers are counted, some seconds' work; of larger ones an estimate is made.
  double count_up_to = 250e6;
  std::uint64_t probes = 1'000'000; ///< of such an estimate: its error is below 0.2 per cent then
  milliseconds write_timeout{5'000};
};

class capacity_keeper {
public:
  /// @param types one for each issuer
  /// @param notes of shard 0; it, logs and clocks of the contexts live longer
  /// @param warn told once a type and threshold, per cent
  capacity_keeper(std::vector<std::shared_ptr<const type_context>> types, storage::notebook& notes,
                  std::vector<std::uint32_t> thresholds,
                  std::function<void(const identifiers::id_type&, std::uint32_t percent, const capacity_report&)> warn,
                  capacity_options options = {});
  ~capacity_keeper();
  capacity_keeper(const capacity_keeper&) = delete;
  capacity_keeper& operator=(const capacity_keeper&) = delete;

  /// Takes up what was written before. Errors: corrupt, io.
  [[nodiscard]] result<void> load();
  /// One thread that counts what is not counted yet, then takes a sample every minute.
  void start();
  void stop();

  /// Counts, or estimates well, the next type that needs it; false when there is none.
  bool refine_one();
  /// Notes how much is used of each type, writes it down and warns. Errors: as the notebook's.
  result<void> sample();

  /// Errors: corrupt, io.
  [[nodiscard]] result<capacity_report> report(const identifiers::id_type& type) const;
  void set_thresholds(std::vector<std::uint32_t> thresholds);

private:
  struct kept {
    std::shared_ptr<const type_context> cx;   ///< of the first issuer
    std::vector<storage::id_partition> parts; ///< of all
    identifiers::capacity_estimate capacity;
    bool refined = false;
    storage::type_usage usage;
  };
  [[nodiscard]] result<capacity_report> report_of(const kept& type) const;
  [[nodiscard]] static result<identifiers::pool_counters> counters_of(const kept& type);

  storage::notebook& notes_;
  std::function<void(const identifiers::id_type&, std::uint32_t, const capacity_report&)> warn_;
  capacity_options options_;
  mutable std::mutex mutex_; ///< of what follows
  std::vector<kept> types_;
  std::vector<std::uint32_t> thresholds_;
  std::condition_variable wake_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

} // namespace matricula::actors
