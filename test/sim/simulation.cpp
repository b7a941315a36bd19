#include "test/sim/simulation.hpp"

#include "test/sim/client.hpp"
#include "test/sim/node.hpp"
#include "test/sim/store_check.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace matricula::sim {

using namespace identifiers;

namespace {

constexpr std::uint64_t life_steps_min = 700;
constexpr std::uint64_t life_steps_spread = 200;
constexpr milliseconds settle_max{100'000}; ///< twice the longest back-off, and longer than a poisonous type is refused
constexpr std::size_t drain_max = 100'000;
constexpr timestamp no_end = timestamp::max();

/// How often what happens in one life: every life draws its own mix, so that slow disks meet fast restarts.
struct mix_of_steps {
  std::uint64_t client, actor, write, background, time, fault;
  explicit mix_of_steps(random_source& random)
      : client(pick(random, {3, 6, 12})), actor(pick(random, {15, 30, 60})), write(pick(random, {1, 3, 8, 20})),
        background(pick(random, {1, 2})), time(pick(random, {1, 3, 6})), fault(pick(random, {0, 1, 2})) {}
  static std::uint64_t pick(random_source& random, std::initializer_list<std::uint64_t> from) {
    return *(from.begin() + random.below(from.size()));
  }
  [[nodiscard]] std::uint64_t sum() const { return client + actor + write + background + time + fault; }
};

class simulation {
public:
  simulation(std::uint64_t seed, planted_bug bug, bool trace)
      : random_(seed), bug_(bug), trace_(trace), model_(found_), client_(random_, model_) {}

  run_report run() {
    report_[counter::seeds] = 1;
    while (report_[counter::steps] < steps_min || report_[counter::power_cuts] < power_cuts_min)
      if (!live(false)) break;
    if (!broken_) (void)live(true);
    report_[counter::requests] = client_.sent();
    report_[counter::acknowledged] = model_.acknowledged();
    report_[counter::expired_deadlines] = client_.deadlines_expired();
    report_[counter::violations] = found_.found();
    report_.violations = found_.kept();
    report_.trace_hash = hash_;
    return report_;
  }

private:
  // -- one life -------------------------------------------------------------------------------------------------------
  /// False when the run cannot go on.
  bool live(bool last) {
    ++report_[counter::lives];
    found_.at(report_[counter::lives], report_[counter::steps]);
    node_ = std::make_unique<node>(disk_, time_, random_, bug_);
    // From here on: a disk that lies while the store is made leaves no store at all, which is easy to find.
    disk_->lie_about_syncs(bug_ == planted_bug::no_sync);
    if (!node_->refusal().empty()) {
      found_.add("the start was refused: " + node_->refusal());
      node_.reset();
      broken_ = true;
      return false;
    }
    storage_failed_ = false;
    begin_clock();
    trace("starts", report_[counter::lives]);
    check_everything();
    const mix_of_steps mix(random_);
    const auto steps = life_steps_min + random_.below(life_steps_spread);
    for (std::uint64_t i = 0; i < steps && node_->fatal().empty(); ++i) step(mix);
    if (node_->fatal().empty() && (last || random_.below(4) == 0)) settle();
    if (last && node_->fatal().empty()) return end(), true;
    crash();
    return true;
  }

  void begin_clock() {
    if (!held_.empty() && held_.back().second == no_end) held_.back().second = time_.wall();
    jumped_ = milliseconds{0};
    // The node sees a long absence and holds its expirer until an operator has looked at the clock.
    if (node_->decisions().suspect()) held_.emplace_back(time_.wall(), no_end);
  }

  void crash() {
    count_crashes();
    const bool survives = !node_->fatal().empty() && random_.below(2) == 0;
    auto after = survives ? disk_->killed() : disk_->power_cut(random_);
    ++report_[survives ? counter::process_kills : counter::power_cuts];
    trace(survives ? "is killed" : "loses power", report_[counter::steps]);
    // What the dying node still does is on a disk that nobody reads, and its answers reach nobody.
    end();
    disk_ = std::move(after);
    if (random_.below(3) == 0) time_.advance(milliseconds{static_cast<std::int64_t>(random_.below(5'000))});
    if (random_.below(12) == 0) {
      ++report_[counter::suspect_clock_steps];
      time_.jump(std::chrono::days{8});
    }
  }

  void end() {
    client_.forget();
    node_.reset();
  }

  void count_crashes() { report_[counter::poisoned_reads] += node_->log().reads_poisoned(); }

  // -- one step -------------------------------------------------------------------------------------------------------
  void step(const mix_of_steps& mix) {
    ++report_[counter::steps];
    found_.at(report_[counter::lives], report_[counter::steps]);
    auto x = random_.below(mix.sum());
    const auto is = [&](std::uint64_t weight) { return x < weight ? true : (x -= weight, false); };
    if (is(mix.client))
      ask();
    else if (is(mix.actor))
      (void)(node_->run_actor() || write());
    else if (is(mix.write))
      (void)(write() || node_->run_actor());
    else if (is(mix.background))
      background();
    else if (is(mix.time))
      pass_time();
    else
      fault();
    collect();
    note(node_->runnable());
    note(disk_->writes());
    note(disk_->syncs());
    note(static_cast<std::uint64_t>(time_.wall().time_since_epoch().count()));
    if (random_.below(500) == 0 && node_->fatal().empty()) check_stored_rows();
  }

  bool write() {
    if (node_->log_idle()) return false;
    const auto batches = random_.below(4) == 0 ? SIZE_MAX : 1 + random_.below(6);
    if (!node_->write_group(batches)) return false;
    ++report_[counter::groups_written];
    collect();
    if (!node_->fatal().empty()) return true;
    const auto durable = node_->durable();
    for (std::size_t t = 0; t < sim_types().size(); ++t)
      check_equation(*durable, node_->part(t), sim_types()[t], found_);
    return true;
  }

  void background() {
    if (random_.below(6) == 0) {
      node_->flush();
      ++report_[counter::flushes];
    }
    if (node_->run_background_job()) ++report_[counter::background_jobs];
  }

  void ask() {
    if (random_.below(4) != 0) return client_.ask(*node_, time_.wall(), now_ns());
    // A reader looks something up: only durable rows show.
    const auto type = random_.below(sim_types().size());
    const auto& targets = model_.targets(type);
    if (targets.empty()) return;
    const auto& id = targets[random_.below(targets.size())].id;
    const auto counter = sim_types()[type].type.space->counter_of(id);
    const auto record =
        storage::find_record(*node_->durable(), node_->part(type), static_cast<std::uint64_t>(*counter));
    if (!record) return found_.add(id + " does not decode");
    model_.check(type, id, *record, time_.wall());
  }

  void pass_time() {
    auto by = milliseconds{static_cast<std::int64_t>(1 + random_.below(15))};
    const auto how = random_.below(10);
    if (how < 4) {
      // To the very moment at which something becomes due, or one millisecond to either side.
      const auto now = time_.wall();
      const auto due = model_.next_due(now + milliseconds{2});
      if (due && *due - now < std::chrono::seconds{5}) {
        by = *due - now + milliseconds{static_cast<std::int64_t>(random_.below(3)) - 1};
        node_->advance(by);
        for (std::size_t t = 0; t < sim_types().size(); ++t)
          if (sim_types()[t].expires() && random_.below(2) == 0) client_.run_expirer(*node_, t, time_.wall());
        return;
      }
    } else if (how == 8) {
      by = milliseconds{static_cast<std::int64_t>(20 + random_.below(300))};
    } else if (how == 9) {
      by = milliseconds{static_cast<std::int64_t>(500 + random_.below(2'500))};
    }
    node_->advance(by);
  }

  void fault() {
    const auto type = random_.below(sim_types().size());
    const auto what = random_.below(100);
    note(what);
    if (what < 30) {
      static constexpr std::array<const char*, 6> children{"pool",    "checker", "populator",
                                                           "walker1", "walker2", "expirer"};
      node_->kill_by_order(type, children[random_.below(children.size())]);
      ++report_[counter::actor_kills_by_order];
    } else if (what < 32) {
      node_->kill_by_order(type, "");
      ++report_[counter::subtree_kills];
    } else if (what < 60) {
      if (node_->kill_runnable()) ++report_[counter::actor_kills_by_exit];
    } else if (what < 72) {
      node_->log().poison_next_read();
    } else if (what < 80) {
      node_->send_poison(type);
      ++report_[counter::poison_messages];
    } else if (what < 86) {
      step_clock(milliseconds{static_cast<std::int64_t>(1 + random_.below(600'000))});
      ++report_[counter::clock_steps];
    } else if (what < 89) {
      step_clock(std::chrono::hours{1} + milliseconds{static_cast<std::int64_t>(1 + random_.below(100'000'000))});
      ++report_[counter::suspect_clock_steps];
    } else if (what < 99) {
      trust_clock();
    } else {
      node_->fail_disk_after(static_cast<std::int64_t>(random_.below(12)));
      storage_failed_ = true;
      ++report_[counter::disk_failures];
    }
  }

  void step_clock(milliseconds by) {
    time_.jump(by);
    jumped_ += by;
    if (jumped_ > decision_clock::jump_max && !held()) held_.emplace_back(time_.wall(), no_end);
  }

  void trust_clock() {
    if (!held()) return;
    held_.back().second = time_.wall();
    jumped_ = milliseconds{0};
    node_->decisions().trust();
  }

  [[nodiscard]] bool held() const { return !held_.empty() && held_.back().second == no_end; }

  // -- everything in order again --------------------------------------------------------------------------------------
  /// Faults are over: without any request every pool must become able to issue, and every request must be answered.
  void settle() {
    ++report_[counter::settled_checks];
    node_->log().cure();
    if (storage_failed_) return; // it goes on failing, and the process ends
    trust_clock();
    node_->decisions().trust();
    const auto pools_ready = [&] {
      for (std::size_t t = 0; t < sim_types().size(); ++t)
        if (next_refill(node_->level(t), sim_types()[t].type.limits)) return false;
      return true;
    };
    if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add("never answered: " + client_.oldest());
    if (!wait_until(pools_ready)) {
      for (std::size_t t = 0; t < sim_types().size(); ++t)
        if (const auto level = node_->level(t); next_refill(level, sim_types()[t].type.limits))
          found_.add(fmt::format("the pool of {} is never refilled: {} fresh, {} of {} walked",
                                 sim_types()[t].type.name, level.fresh, level.held_to, level.end));
      return;
    }
    for (std::size_t t = 0; t < sim_types().size() && node_->fatal().empty(); ++t) probe(t);
    if (node_->fatal().empty()) check_everything();
  }

  /// One type issues, expires and answers its keys.
  void probe(std::size_t type) {
    const auto& name = sim_types()[type].type.name;
    for (auto until = time_.wall() + settle_max;;) {
      client_.ask_for_one(*node_, type, time_.wall());
      if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add(name + " answers nobody");
      const auto& refusal = client_.last_refusal(type);
      if (!refusal) break;
      const auto c = storage::find_pool(*node_->durable(), node_->part(type));
      if (c && c->available() == 0 && c->walked_to == sim_types()[type].type.rules.end) break;
      if (time_.wall() > until)
        return found_.add(fmt::format("{} has identifiers and still refuses: {}", name, to_string(*refusal)));
      node_->advance(milliseconds{1'000});
    }
    for (auto until = time_.wall() + settle_max;;) {
      client_.run_expirer(*node_, type, time_.wall());
      if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add("the expirer answers nobody: " + name);
      if (client_.last_run_succeeded(type)) break;
      if (time_.wall() > until) return found_.add("the expirer still refuses: " + name);
      node_->advance(milliseconds{1'000});
    }
    for (int i = 0; i < 3; ++i)
      if (client_.repeat(*node_, type, time_.wall()) && !wait_until([&] { return client_.waiting() == 0; }))
        return found_.add("a repeated key is not answered: " + name);
  }

  template <class Condition>
  bool wait_until(Condition holds) {
    const auto began = time_.wall();
    for (;;) {
      if (!drain() || !node_->fatal().empty()) return true;
      if (holds()) return true;
      const auto waited = time_.wall() - began;
      if (waited > settle_max) return false;
      node_->advance(std::clamp(waited / 10, milliseconds{5}, milliseconds{500}));
    }
  }

  /// Lets everybody work until nobody has anything to do. False when that never comes.
  bool drain() {
    for (std::size_t i = 0; i < drain_max; ++i) {
      const bool worked =
          (random_.below(3) != 0 && node_->run_actor()) || write() || node_->run_actor() || node_->run_background_job();
      collect();
      if (!worked || !node_->fatal().empty()) return true;
    }
    found_.add("the actors never come to rest");
    return false;
  }

  // -- checks ---------------------------------------------------------------------------------------------------------
  void collect() {
    client_.collect(*node_, time_.wall(), now_ns(), storage_failed_, found_, [this](std::uint64_t x) { note(x); });
  }

  std::vector<stored_rows> check_stored_rows() {
    const auto durable = node_->durable();
    std::vector<stored_rows> all;
    for (std::size_t t = 0; t < sim_types().size(); ++t) {
      all.push_back(read_rows(*durable, node_->part(t), found_));
      check_rows(*durable, node_->part(t), sim_types()[t], all.back(), held_, found_);
    }
    return all;
  }

  /// @pre no request is on its way
  void check_everything() {
    const auto rows = check_stored_rows();
    const auto durable = node_->durable();
    const auto now = time_.wall();
    for (std::size_t t = 0; t < sim_types().size(); ++t) {
      model_.recovered(t, rows[t], now);
      for (const auto& key : model_.keys(t))
        model_.recovered_key(key, read_key(*durable, node_->part(t), key_reference(key), found_), now);
    }
    model_.forget_requests();
  }

  [[nodiscard]] std::int64_t now_ns() const { return time_.monotonic().count(); }
  void note(std::uint64_t x) noexcept {
    // FNV-1a (Fowler, Noll, Vo), by words.
    hash_ ^= x;
    hash_ *= 1'099'511'628'211U;
  }
  void trace(std::string_view what, std::uint64_t number) const {
    if (trace_) fmt::print(stderr, "{} {} {}\n", to_rfc3339(time_.wall()), what, number);
  }

  seeded_random random_;
  planted_bug bug_;
  bool trace_;
  findings found_;
  model model_;
  client client_;
  sim_clock time_;
  std::shared_ptr<test::sim_disk> disk_ = std::make_shared<test::sim_disk>();
  std::unique_ptr<node> node_;
  std::vector<held_interval> held_;
  milliseconds jumped_{0}; ///< by steps of the clock since it was trusted
  bool storage_failed_ = false;
  bool broken_ = false;
  run_report report_;
  std::uint64_t hash_ = 14'695'981'039'346'656'037U;
};

} // namespace

std::string_view to_string(counter c) noexcept {
  static constexpr std::array<std::string_view, counters> names{"seeds",
                                                                "steps",
                                                                "lives",
                                                                "power_cuts",
                                                                "process_kills",
                                                                "actor_kills_by_order",
                                                                "actor_kills_by_exit",
                                                                "subtree_kills",
                                                                "poison_messages",
                                                                "poisoned_reads",
                                                                "clock_steps",
                                                                "suspect_clock_steps",
                                                                "disk_failures",
                                                                "expired_deadlines",
                                                                "groups_written",
                                                                "flushes",
                                                                "background_jobs",
                                                                "requests",
                                                                "acknowledged",
                                                                "settled_checks",
                                                                "violations"};
  return names[static_cast<std::size_t>(c)];
}

run_report run_seed(std::uint64_t seed, planted_bug bug, bool trace) { return simulation(seed, bug, trace).run(); }

} // namespace matricula::sim
