#include "actors/identifiers/capacity_keeper.hpp"

#include "domain/identifiers/type.hpp"
#include "domain/identifiers/valid_count.hpp"
#include "foundation/log.hpp"
#include "foundation/thread.hpp"
#include "storage/grants.hpp"

#include <algorithm>
#include <cmath>

namespace matricula::actors {

using namespace identifiers;

namespace {
constexpr std::chrono::hours hour{1};
constexpr std::chrono::hours day{24};
/// Of samples: often enough that the history, which takes one a minute, misses none.
constexpr std::chrono::seconds sample_every{60};

/// What is used up here: an import is no trend.
std::int64_t consumed(const pool_counters& c) {
  return static_cast<std::int64_t>(c.used()) - static_cast<std::int64_t>(c.imported_valid());
}
} // namespace

capacity_keeper::capacity_keeper(std::vector<std::shared_ptr<const type_context>> types, storage::notebook& notes,
                                 std::vector<std::uint32_t> thresholds,
                                 std::function<void(const id_type&, std::uint32_t, const capacity_report&)> warn,
                                 capacity_options options)
    : notes_(notes), warn_(std::move(warn)), options_(options), thresholds_(std::move(thresholds)) {
  for (auto& cx : types) {
    const auto same = std::ranges::find_if(types_, [&](const kept& k) { return k.cx->type.name == cx->type.name; });
    if (same != types_.end()) {
      same->parts.push_back(cx->part);
      continue;
    }
    const auto known = cx->type.capacity;
    const auto part = cx->part;
    types_.push_back({std::move(cx), {part}, known, known.exact, {}});
  }
}

capacity_keeper::~capacity_keeper() { stop(); }

result<void> capacity_keeper::load() {
  const auto rows = notes_.rows();
  if (!rows) return std::unexpected(rows.error());
  const std::scoped_lock hold(mutex_);
  for (auto& type : types_) {
    auto usage = storage::find_usage(**rows, type.cx->type.name);
    if (!usage) return std::unexpected(usage.error());
    if (*usage) type.usage = std::move(**usage);
    if (type.refined) continue;
    const auto counted = storage::find_capacity(**rows, describe_space(type.cx->type));
    if (!counted) return std::unexpected(counted.error());
    if (!*counted) continue;
    type.capacity = **counted;
    type.refined = true;
  }
  return {};
}

void capacity_keeper::start() {
  thread_ = std::thread([this] {
    name_this_thread("capacity");
    bool told = false;
    const auto round = [&] {
      const auto sampled = sample();
      if (!sampled && !told) log::warning("capacity.not_written", sampled.error().message);
      told = !sampled;
    };
    round();
    while (refine_one()) {
    }
    if (!stop_) log::info("capacity.known", "the capacity of every type is counted, or estimated well");
    std::unique_lock hold(mutex_);
    while (!wake_.wait_for(hold, sample_every, [this] { return stop_.load(); })) {
      hold.unlock();
      round();
      hold.lock();
    }
  });
}

void capacity_keeper::stop() {
  {
    const std::scoped_lock hold(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool capacity_keeper::refine_one() {
  std::shared_ptr<const type_context> next;
  {
    const std::scoped_lock hold(mutex_);
    const auto found = std::ranges::find(types_, false, &kept::refined);
    if (found == types_.end() || stop_) return false;
    next = found->cx;
  }
  const auto& type = next->type;
  auto better = type.capacity;
  bool stopped = false;
  // In a thread of its own, which holds no lock that others could wait for: it gets only what they leave.
  std::thread([&] {
    name_this_thread("count");
    work_behind_all_others();
    if (better.value <= options_.count_up_to) {
      const auto counted = count_valid(type.space->format(), &stop_);
      stopped = !counted;
      if (counted) better = {static_cast<double>(*counted), 0, true};
    } else {
      // In parts, so that a stop does not wait long for a thread that gets so little.
      constexpr std::uint64_t part = 1'000;
      const auto random = next->make_random();
      const auto parts = std::max<std::uint64_t>(1, options_.probes / part);
      double sum = 0, variance = 0;
      for (std::uint64_t i = 0; i < parts && !stopped; ++i) {
        const auto one = estimate_capacity(type.space->format(), *random, part);
        sum += one.value;
        variance += one.standard_error * one.standard_error;
        stopped = stop_;
      }
      const auto n = static_cast<double>(parts);
      if (!stopped) better = {sum / n, std::sqrt(variance) / n, false};
    }
  }).join();
  if (stopped) return false;
  const auto written = notes_.write_and_wait(
      [space = describe_space(type), better](const storage::view&, storage::batch& to) -> result<void> {
        storage::put_capacity(to, space, better);
        return {};
      },
      options_.write_timeout);
  if (!written)
    log::warning("capacity.not_written", "It will be counted again at the next start. " + written.error().message);
  const std::scoped_lock hold(mutex_);
  const auto done = std::ranges::find(types_, next, &kept::cx);
  done->capacity = better;
  done->refined = true;
  return true;
}

result<pool_counters> capacity_keeper::counters_of(const kept& type) {
  const auto seen = storage::find_pools(*type.cx->log, type.parts);
  if (!seen) return std::unexpected(seen.error());
  return seen->counters.size() == 1 ? seen->counters.front() : sum(seen->counters);
}

result<void> capacity_keeper::sample() {
  struct warning {
    const id_type* type;
    std::uint32_t percent;
    capacity_report report;
  };
  std::vector<warning> warnings;
  std::vector<std::pair<std::string, storage::type_usage>> rows;
  {
    const std::scoped_lock hold(mutex_);
    for (auto& type : types_) {
      const auto counters = counters_of(type);
      if (!counters) return std::unexpected(counters.error());
      const auto before = type.usage;
      type.usage.history.note(type.cx->time->now(), consumed(*counters));
      const auto now = report_of(type);
      if (!now) return std::unexpected(now.error());
      const auto reached = now->outlook.warning.value_or(0);
      if (reached > type.usage.warned) warnings.push_back({&type.cx->type, reached, *now});
      type.usage.warned = reached;
      if (type.usage != before) rows.emplace_back(type.cx->type.name, type.usage);
    }
  }
  // Before it is written that somebody was: a crash in between warns twice, the other way round never.
  for (const auto& w : warnings)
    if (warn_) warn_(*w.type, w.percent, w.report);
  if (rows.empty()) return {};
  return notes_.write_and_wait(
      [rows = std::move(rows)](const storage::view&, storage::batch& to) -> result<void> {
        for (const auto& [name, usage] : rows) storage::put_usage(to, name, usage);
        return {};
      },
      options_.write_timeout);
}

result<capacity_report> capacity_keeper::report_of(const kept& type) const {
  const auto counters = counters_of(type);
  if (!counters) return std::unexpected(counters.error());
  const auto now = type.cx->time->now();
  capacity_report out;
  out.capacity = type.capacity;
  out.used = counters->used();
  out.per_second_of_hour = type.usage.history.per_second(hour, now, consumed(*counters));
  out.per_second_of_day = type.usage.history.per_second(day, now, consumed(*counters));
  // The day's rate: an hour of the night would promise too much, one of the morning too little.
  out.outlook = forecast(out.capacity, out.used, out.per_second_of_day, now, thresholds_);
  return out;
}

result<capacity_report> capacity_keeper::report(const id_type& type) const {
  const std::scoped_lock hold(mutex_);
  const auto found = std::ranges::find(types_, &type, [](const kept& k) { return &k.cx->type; });
  require(found != types_.end(), "an identifier type of this node");
  return report_of(*found);
}

void capacity_keeper::set_thresholds(std::vector<std::uint32_t> thresholds) {
  const std::scoped_lock hold(mutex_);
  thresholds_ = std::move(thresholds);
}

} // namespace matricula::actors
