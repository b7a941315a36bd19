#include "test/sim/simulation.hpp"

#include "test/sim/audit_check.hpp"
#include "test/sim/client.hpp"
#include "test/sim/holders.hpp"
#include "test/sim/imports.hpp"
#include "test/sim/node.hpp"
#include "test/sim/queue_clients.hpp"
#include "test/sim/registrant_clients.hpp"
#include "test/sim/restore.hpp"
#include "test/sim/store_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

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
      : random_(seed), bug_(bug), trace_(trace), model_(found_), client_(random_, model_), holders_(random_, found_),
        letters_(found_), runs_(found_), imports_(random_, found_), queue_(random_, found_),
        registrants_(random_, found_) {}

  run_report run() {
    report_[counter::seeds] = 1;
    while (report_[counter::steps] < steps_min || report_[counter::power_cuts] < power_cuts_min)
      if (!live(false)) break;
    if (!broken_) (void)live(true);
    report_[counter::requests] = client_.sent() + holders_.sent() + queue_.sent();
    report_[counter::acknowledged] = model_.acknowledged() + holders_.acknowledged() + queue_.acknowledged();
    report_[counter::holders_vids_made] = holders_.made();
    report_[counter::holders_vids_used] = holders_.used();
    report_[counter::expired_deadlines] = client_.deadlines_expired();
    count_what_was_seen(1);
    report_[counter::violations] = found_.found();
    report_.first = found_.first();
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
    node_ = std::make_unique<node>(disk_, around());
    // From here on: a disk that lies while the store is made leaves no store at all, which is easy to find.
    disk_->lie_about_syncs(bug_ == planted_bug::no_sync);
    if (!node_->refusal().empty()) {
      const bool mark = node_->refusal().find("acknowledged writes are missing") != std::string::npos;
      found_.add(mark ? symptom::start_refused : symptom::other, "the start was refused: " + node_->refusal());
      if (!start_with_the_loss()) return false;
    }
    storage_failed_ = false;
    begin_clock();
    trace("starts", report_[counter::lives]);
    check_everything();
    letters_.life_begins(*node_->durable());
    runs_.life_begins(*node_->durable());
    const mix_of_steps mix(random_);
    const auto steps = life_steps_min + random_.below(life_steps_spread);
    for (std::uint64_t i = 0; i < steps && node_->fatal().empty(); ++i) step(mix);
    if (node_->fatal().empty() && (last || random_.below(4) == 0)) settle();
    if (last && node_->fatal().empty()) {
      for (std::size_t t = 0; t < sim_types().size(); ++t) report_[counter::handovers] += node_->counters(t).handovers;
      return end(), true;
    }
    crash();
    return true;
  }

  [[nodiscard]] surroundings around() {
    const auto alarm = [this](const runtime::operator_alarm& a) {
      if (a.kind == "grant_refused") found_.add(symptom::granted_twice, a.message);
      if (a.kind == "unreadable_row" && a.path.ends_with("/tasks/queue")) found_.add(a.message);
    };
    return {time_,
            random_,
            letters_,
            runs_,
            [this] { return held(); },
            bug_,
            alarm,
            registrants_.generator(),
            registrants_.blocking_work()};
  }

  /// An operator accepts that the store lacks what the mark file says was answered: now it shows what that was.
  bool start_with_the_loss() {
    constexpr std::string_view way = "accept_loss_up_to=";
    const auto at = node_->refusal().find(way);
    broken_ = at == std::string::npos || bug_ != planted_bug::no_sync;
    if (!broken_) {
      const auto number = std::stoull(node_->refusal().substr(at + way.size()));
      node_.reset();
      node_ = std::make_unique<node>(disk_, around(), number);
      broken_ = !node_->refusal().empty();
    }
    if (broken_) node_.reset();
    return !broken_;
  }

  void begin_clock() {
    if (held()) release(node_->last_durable());
    if (node_->last_durable() < model_.newest_time())
      found_.add("the last durable time is earlier than one that was answered");
    // The wall clock may have been set back while the node was down, or far ahead.
    floor_ = node_->last_durable();
    ahead_ = time_.wall() - floor_;
    allowance_ = decision_clock::restart_jump_max;
    look_at_clock();
  }

  void crash() {
    count_crashes();
    const bool survives = !node_->fatal().empty() && random_.below(2) == 0;
    auto after = survives ? disk_->killed() : disk_->power_cut(random_);
    const bool lost = backup_ && random_.below(3) == 0;
    ++report_[survives ? counter::process_kills : counter::power_cuts];
    trace(survives ? "is killed" : "loses power", report_[counter::steps]);
    // What the dying node still does is on a disk that nobody reads, and its answers reach nobody.
    end();
    disk_ = lost ? restore(std::move(after)) : std::move(after);
    if (random_.below(3) == 0) time_.advance(milliseconds{static_cast<std::int64_t>(random_.below(5'000))});
    if (random_.below(12) == 0) {
      ++report_[counter::suspect_clock_steps];
      time_.jump(std::chrono::days{8});
    } else if (random_.below(6) == 0) {
      ++report_[counter::clock_steps_back];
      time_.jump(-some_step_back());
    }
  }

  void count_what_was_seen(int sign) {
    const auto add = [&](counter c, std::uint64_t seen) { report_[c] += sign > 0 ? seen : -seen; };
    add(counter::letters_kept, letters_.kept());
    add(counter::letters_only_counted, letters_.counted_only());
    add(counter::letters_replayed, letters_.replayed());
    add(counter::replays_refused, letters_.refused_replays());
    add(counter::letters_discarded, letters_.discarded());
    add(counter::runs_on_time, runs_.sent_on_time());
    add(counter::runs_caught_up, runs_.caught_up());
    add(counter::runs_skipped, runs_.skipped());
    add(counter::runs_sent_again, runs_.sent_again());
    add(counter::imports_loaded, imports_.loaded());
    add(counter::imports_repeated, imports_.repeated());
    add(counter::imports_in_conflict, imports_.in_conflict());
    add(counter::imports_of_returned, imports_.of_returned());
    add(counter::tasks_queued, queue_.queued());
    add(counter::task_keys_repeated, queue_.keys_repeated());
    add(counter::tries_begun, queue_.begun());
    add(counter::tasks_completed, queue_.completed());
    add(counter::late_workers, queue_.late_workers());
  }

  void make_backup() {
    ++report_[counter::backups];
    backup_ = std::make_unique<backup>(disk_->power_cut(random_), model_, letters_, runs_, holders_, imports_, queue_,
                                       client_.steps());
  }

  /// The disk is gone: an operator goes back to the backup, with or without what is left of the old one.
  std::shared_ptr<test::sim_disk> restore(std::shared_ptr<test::sim_disk> old) {
    ++report_[counter::restores];
    trace("is restored", report_[counter::lives]);
    auto restored = backup_->disk->killed();
    const auto how = random_.below(2) == 0 ? settled_by::old_data : settled_by::skip;
    const bool settles = bug_ != planted_bug::unsettled_restore;
    if (settles) {
      const auto settled = settle_after_restore(restored, std::move(old), how, time_, random_);
      if (!settled) found_.add("the restore cannot be settled: " + settled.error().message);
      report_[counter::retired_by_restore] += settled ? settled->retired : 0;
      if (settled && how == settled_by::old_data) imports_.restored(backup_->known_imports, settled->imported);
    }
    // What was counted since the backup was seen all the same.
    count_what_was_seen(1);
    auto known = backup_->known;
    known.restored_after(model_);
    assume(model_, known);
    assume(letters_, backup_->known_letters);
    assume(runs_, backup_->known_runs);
    assume(holders_, backup_->known_holders);
    holders_.forget();
    auto known_tasks = backup_->known_tasks;
    known_tasks.restored_after(queue_);
    assume(queue_, known_tasks);
    queue_.forget();
    // What was imported since is taken over from the lost disk, or is not there.
    if (how == settled_by::skip || !settles) assume(imports_, backup_->known_imports);
    imports_.forget();
    registrants_.restored();
    client_.assume(backup_->acknowledged);
    count_what_was_seen(-1);
    backup_.reset();
    return restored;
  }

  /// Its reference to what was found keeps these classes from being assigned.
  template <class T>
  static void assume(T& what, const T& as) {
    std::destroy_at(&what);
    std::construct_at(&what, as);
  }

  void end() {
    registrants_.node_ends();
    client_.forget();
    holders_.forget();
    imports_.forget();
    queue_.forget();
    letters_.life_ends();
    runs_.life_ends();
    node_.reset();
  }

  void count_crashes() { report_[counter::poisoned_reads] += node_->log().reads_poisoned(); }

  // -- one step -------------------------------------------------------------------------------------------------------
  void step(const mix_of_steps& mix) {
    ++report_[counter::steps];
    found_.at(report_[counter::lives], report_[counter::steps]);
    auto x = random_.below(mix.sum());
    const auto is = [&](std::uint64_t weight) { return x < weight ? true : (x -= weight, false); };
    if (is(mix.client)) {
      ask();
      if (random_.below(2) == 0) queue_.ask(*node_, moment());
      if (random_.below(4) == 0) registrants_.ask(*node_);
      if (random_.below(3) == 0) (void)registrants_.answer_a_call();
    } else if (is(mix.actor))
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
    note(letters_.kept());
    note(runs_.sent_on_time() + runs_.caught_up());
    if (random_.below(500) == 0 && node_->fatal().empty()) check_stored_rows();
    if (random_.below(200) == 0 && node_->fatal().empty()) {
      queue_.check(*node_->durable(), now());
      registrants_.check(*node_->durable());
    }
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
      for (const auto& part : node_->parts(t)) check_equation(*durable, part, sim_types()[t], found_);
    holders_.check(*durable, node_->parts(holders_type()).front(), now());
    // What expires a moment from now has not expired.
    for (const auto& [type, id] : model_.about_to_expire(now())) look_up(type, id, *durable);
    return true;
  }

  void background() {
    if (random_.below(6) == 0) {
      node_->flush();
      ++report_[counter::flushes];
    }
    if (node_->run_background_job()) ++report_[counter::background_jobs];
    // With a bug that is about something else, whatever a restore shows would be in its way.
    const bool may = bug_ == planted_bug::none || bug_ == planted_bug::unsettled_restore;
    if (may && !storage_failed_ && random_.below(100) == 0) make_backup();
  }

  void ask() {
    if (random_.below(24) == 0) return operate();
    if (random_.below(5) == 0) return holders_.ask(*node_, now(), now_ns());
    if (random_.below(16) == 0) return imports_.ask(*node_, model_);
    if (random_.below(4) != 0) return client_.ask(*node_, now(), now_ns());
    // A reader looks something up: only durable rows show.
    const auto type = random_.below(plain_types());
    if (random_.below(2) == 0) return look_up_keys(type);
    const auto& targets = model_.targets(type);
    if (targets.empty()) return;
    const auto& id = targets[random_.below(targets.size())].id;
    look_up(type, id, *node_->durable());
  }

  /// The latest keys: those before are mostly gone.
  void look_up_keys(std::size_t type) {
    constexpr std::size_t looked_at = 30;
    const auto durable = node_->durable();
    auto keys = model_.keys(type);
    std::ranges::sort(keys, {}, [](const std::string& key) { return std::pair(key.size(), key); }); // they are numbered
    for (std::size_t i = keys.size() - std::min(keys.size(), looked_at); i < keys.size(); ++i)
      model_.check_key(keys[i], read_key(*durable, node_->parts(type), key_reference(keys[i]), found_), now());
  }

  void look_up(std::size_t type, const std::string& id, const storage::view& durable) {
    const auto counter = sim_types()[type].type.space->counter_of(id);
    const auto owned = storage::find_owner(durable, node_->parts(type), static_cast<std::uint64_t>(*counter));
    if (!owned) return found_.add(id + " does not decode");
    model_.check(type, id, owned->record, now());
  }

  /// An operator looks at the dead letters, and has one sent again or thrown away.
  void operate() {
    letters_.check(*node_->durable());
    const auto page = node_->office().list({}, 1'000);
    if (!page) {
      if (!storage_failed_) found_.add("the dead letters cannot be listed: " + page.error().message);
      return;
    }
    if (page->letters.empty()) return;
    const auto& [id, letter, replayed] = page->letters[random_.below(page->letters.size())];
    const bool waits = random_.below(2) == 0;
    node_->let_notes_be_waited_for(waits);
    if (random_.below(3) != 0) {
      const auto times = 1 + random_.below(2);
      for (std::uint64_t i = 0; i < times; ++i) {
        const auto answer = node_->office().replay(id, milliseconds{0});
        note(answer ? 1 : 2 + static_cast<std::uint64_t>(answer.error().code));
        letters_.asked_to_replay(id, answer, node_->has_actor(letter.actor_path));
      }
    } else {
      const auto answer = node_->office().discard(id, milliseconds{0});
      note(answer ? 1 : 2 + static_cast<std::uint64_t>(answer.error().code));
      letters_.asked_to_discard(id, answer);
    }
    node_->let_notes_be_waited_for(false);
  }

  void pass_time() {
    auto by = milliseconds{static_cast<std::int64_t>(1 + random_.below(15))};
    const auto how = random_.below(10);
    if (how < 4) {
      // To the very moment at which something becomes due, or one millisecond to either side.
      const auto due = model_.next_due(now() + milliseconds{2});
      if (due && *due - now() < std::chrono::seconds{5}) {
        by = *due - now() + milliseconds{static_cast<std::int64_t>(random_.below(3)) - 1};
        node_->advance(by);
        for (std::size_t t = 0; t < sim_types().size(); ++t)
          if (sim_types()[t].expires() && random_.below(2) == 0) client_.run_expirer(*node_, t, now());
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
      if (random_.below(8) == 0) {
        node_->kill_queue_by_order();
        ++report_[counter::queue_kills];
      } else {
        node_->kill_by_order(type, children[random_.below(children.size())]);
        ++report_[counter::actor_kills_by_order];
      }
    } else if (what < 32) {
      node_->kill_by_order(type, "");
      ++report_[counter::subtree_kills];
    } else if (what < 60) {
      if (node_->kill_runnable()) ++report_[counter::actor_kills_by_exit];
    } else if (what < 72) {
      node_->log().poison_next_read();
    } else if (what < 80) {
      node_->send_poison(type, ++report_[counter::poison_messages]);
    } else if (what < 84) {
      step_clock(-some_step_back());
      ++report_[counter::clock_steps_back];
    } else if (what < 87) {
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

  /// Mostly so little that the time of before comes again soon.
  [[nodiscard]] milliseconds some_step_back() {
    static constexpr std::array<std::uint64_t, 4> most{20, 500, 5'000, 300'000};
    return milliseconds{static_cast<std::int64_t>(1 + random_.below(most[random_.below(most.size())]))};
  }

  /// The wall clock is set. Somebody looks at it before and afterwards, so that what may be decided is known exactly.
  void step_clock(milliseconds by) {
    look_at_clock();
    floor_ = now();
    time_.jump(by);
    ahead_ += by;
    look_at_clock();
  }

  /// What the node must make of the clock: it is believed unless it is too far ahead of the time that has passed.
  void look_at_clock() {
    const bool suspect = ahead_ > allowance_;
    if (suspect && !held()) {
      // What was decided in this very millisecond was decided before.
      held_.emplace_back(now() + milliseconds{1}, no_end);
      ++report_[counter::holds_of_the_expirer];
      client_.clock_held(held_.size());
    } else if (!suspect && held()) {
      release(now());
    }
    if (!suspect && ahead_ >= milliseconds{0}) {
      ahead_ = milliseconds{0};
      allowance_ = decision_clock::jump_max;
    }
    const auto theirs = node_->decisions().now();
    if (theirs < now())
      found_.add(fmt::format("the time of decisions is {} ms before one that was used", (now() - theirs).count()));
    if (theirs > now() + milliseconds{1})
      found_.add(fmt::format("the time of decisions is {} ms ahead of what is believed", (theirs - now()).count()));
    if (node_->decisions().suspect() != held())
      found_.add(held() ? "a jump of the clock is not noticed" : "the clock is suspect without a jump");
  }

  void release(timestamp at) {
    held_.back().second = at;
    client_.clock_held(0);
  }

  void trust_clock() {
    if (!held()) return;
    look_at_clock();
    floor_ = now();
    release(floor_);
    ahead_ = milliseconds{0};
    allowance_ = decision_clock::jump_max;
    node_->decisions().trust();
    look_at_clock();
  }

  [[nodiscard]] bool held() const { return !held_.empty() && held_.back().second == no_end; }

  // -- everything in order again --------------------------------------------------------------------------------------
  /// Faults are over: without any request every pool must become able to issue, and every request must be answered.
  void settle() {
    ++report_[counter::settled_checks];
    node_->log().cure();
    if (storage_failed_) return; // it goes on failing, and the process ends
    trust_clock();
    const auto pools_ready = [&] {
      for (std::size_t t = 0; t < sim_types().size(); ++t)
        if (node_->low_level(t)) return false;
      return true;
    };
    if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add("never answered: " + client_.oldest());
    if (!wait_until([&] { return holders_.waiting_for_answers() == 0; }))
      return found_.add("a holder is never answered");
    if (!wait_until([&] { return imports_.waiting() == 0; })) return found_.add("an import is never answered");
    if (!wait_until([&] { return queue_.waiting() == 0; })) return found_.add("the task queue never answers");
    if (!wait_until(pools_ready)) {
      for (std::size_t t = 0; t < sim_types().size(); ++t)
        if (const auto level = node_->low_level(t))
          found_.add(symptom::pool_dead,
                     fmt::format("the pool of {} is never refilled: {} fresh, {} of {} walked",
                                 sim_types()[t].type.name, level->fresh, level->held_to, level->end));
      return;
    }
    for (std::size_t t = 0; t < plain_types() && node_->fatal().empty(); ++t) {
      probe(t);
      if (sim_types()[t].issuers() > 1 && node_->fatal().empty() && random_.below(2) == 0) use_up(t);
    }
    if (node_->fatal().empty()) probe_holders();
    if (node_->fatal().empty()) settle_tasks();
    if (node_->fatal().empty()) settle_registrants();
    if (node_->fatal().empty()) settle_runs();
    if (node_->fatal().empty()) check_everything();
    if (node_->fatal().empty()) letters_.check_at_rest(*node_->durable(), node_->office().lost());
    if (node_->fatal().empty() && random_.below(2) == 0) settle_letters(random_.below(sim_types().size()));
  }

  /// With workers that work, every task comes to its end.
  void settle_tasks() {
    // For what waits for its time, a clock that was set back stands still until it has caught up.
    if (time_.wall() < now()) node_->advance(now() - time_.wall());
    for (auto until = time_.wall() + settle_max; node_->fatal().empty();) {
      if (queue_clients::open_tasks(*node_->durable()) == 0) return;
      if (time_.wall() > until)
        return found_.add(fmt::format("{} tasks are never done", queue_clients::open_tasks(*node_->durable())));
      queue_.work_off(*node_, moment());
      if (!wait_until([&] { return queue_.waiting() == 0; })) return found_.add("the task queue never answers");
      node_->advance(milliseconds{300});
    }
  }

  /// With a generator that works, every registrant gets its ID.
  void settle_registrants() {
    registrants_.put_in_order(true);
    for (auto until = time_.wall() + settle_max; node_->fatal().empty();) {
      const auto open = registrants_.unfinished(*node_);
      if (open == 0) break;
      if (time_.wall() > until) {
        found_.add(fmt::format("{} registrants never get their IDs", open));
        break;
      }
      for (int i = 0; i < 20; ++i) {
        if (!drain() || !node_->fatal().empty()) break;
        while (registrants_.answer_a_call()) {
        }
        node_->advance(milliseconds{100});
      }
    }
    registrants_.put_in_order(false);
  }

  /// The scheduler is not behind for longer than it needs to look.
  void settle_runs() {
    node_->advance(runs::look_max);
    if (!wait_until([&] { return runs_.up_to_date(now() - std::chrono::seconds{1}); }))
      found_.add(symptom::run_left_out, "a run of " + runs_.behind(now()) + " is due and never made");
  }

  /// One message from its crash to the bin.
  void settle_letters(std::size_t type) {
    node_->advance(std::chrono::minutes{2}); // longer than a type of messages is refused
    if (!drain() || !node_->fatal().empty()) return;
    const auto before = letters_.crashes();
    node_->send_poison(type, ++report_[counter::poison_messages]);
    if (!drain() || !node_->fatal().empty()) return;
    letters_.check_at_rest(*node_->durable(), node_->office().lost());
    if (letters_.crashes() != before + 1)
      return found_.add(symptom::letter_lost, "a message crashed its actor, and no dead letter was made of it");
    const auto id = letters_.latest();
    if (!id) return; // enough of its kind are kept: it is only counted
    const auto ask = [&](bool again) {
      const auto answer = node_->office().replay(*id, milliseconds{0});
      letters_.asked_to_replay(*id, answer, true);
      if (again && (answer || answer.error().code != errc::conflict))
        found_.add(symptom::letter_replayed_again, "a second replay was not refused");
    };
    ask(false);
    // The actor is on its way back.
    const bool came = wait_until([&] { return letters_.crashes() != before + 1; });
    if (!node_->fatal().empty()) return;
    if (!came) found_.add(symptom::letter_lost, "a dead letter was replayed and did not reach its actor");
    letters_.check_at_rest(*node_->durable(), node_->office().lost());
    ask(true);
    for (int i = 0; i < 4; ++i) {
      if (!drain() || !node_->fatal().empty()) return;
      node_->advance(std::chrono::seconds{5});
    }
    if (!drain() || !node_->fatal().empty()) return;
    if (letters_.crashes() != before + 2)
      found_.add(symptom::letter_replayed_again, "a second replay reached the actor");
    letters_.asked_to_discard(*id, node_->office().discard(*id, milliseconds{0}));
    if (!drain() || !node_->fatal().empty()) return;
    if (const auto gone = node_->office().find(*id); gone || gone.error().code != errc::not_found)
      found_.add(symptom::letter_changed, "a discarded dead letter is still there");
    letters_.check_at_rest(*node_->durable(), node_->office().lost());
  }

  /// Whoever is asked, the last identifier of all issuers is handed out, and no more than there are.
  void use_up(std::size_t type) {
    const auto& of = sim_types()[type];
    for (auto until = time_.wall() + settle_max; time_.wall() <= until;) {
      client_.ask_for_one(*node_, type, now());
      if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add(of.type.name + " answers nobody");
      if (!node_->fatal().empty()) return;
      const auto& refusal = client_.last_refusal(type);
      if (refusal == errc::exhausted) {
        // What was on its way is acknowledged a moment later.
        if (!wait_until([&] { return node_->counters(type).in_transit == 0; }))
          found_.add("a grant of " + of.type.name + " never arrives");
        if (node_->fatal().empty()) check_used_up(node_->counters(type), of, found_);
        return;
      }
      if (refusal) node_->advance(milliseconds{500});
    }
    found_.add(symptom::pool_dead, of.type.name + " cannot be used up");
  }

  /// One type issues, expires and answers its keys.
  void probe(std::size_t type) {
    const auto& name = sim_types()[type].type.name;
    for (auto until = time_.wall() + settle_max;;) {
      client_.ask_for_one(*node_, type, now());
      if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add(name + " answers nobody");
      const auto& refusal = client_.last_refusal(type);
      if (!refusal) break;
      const auto c = node_->counters(type);
      if (c.available() + c.in_transit == 0 && c.walked_to == sim_types()[type].type.rules.end) break;
      if (time_.wall() > until)
        return found_.add(symptom::pool_dead,
                          fmt::format("{} has identifiers and still refuses: {}", name, to_string(*refusal)));
      node_->advance(milliseconds{1'000});
    }
    for (auto until = time_.wall() + settle_max;;) {
      client_.run_expirer(*node_, type, now());
      if (!wait_until([&] { return client_.waiting() == 0; })) return found_.add("the expirer answers nobody: " + name);
      if (client_.last_run_succeeded(type)) break;
      if (time_.wall() > until) return found_.add("the expirer still refuses: " + name);
      node_->advance(milliseconds{1'000});
    }
    for (int i = 0; i < 3; ++i)
      if (client_.repeat(*node_, type, now()) && !wait_until([&] { return client_.waiting() == 0; }))
        return found_.add("a repeated key is not answered: " + name);
  }

  /// A holder gets a VID of the policy that always makes room.
  void probe_holders() {
    for (auto until = time_.wall() + settle_max;;) {
      holders_.ask_for_one(*node_, now());
      if (!wait_until([&] { return holders_.waiting_for_answers() == 0; }))
        return found_.add("a holder is not answered");
      if (!node_->fatal().empty() || holders_.last_was_met()) return;
      const auto c = storage::find_pool(*node_->durable(), node_->parts(holders_type()).front());
      if (c && c->available() == 0 && c->walked_to == sim_types()[holders_type()].type.rules.end) return;
      if (time_.wall() > until) return found_.add(symptom::pool_dead, "no holder gets a VID any more");
      node_->advance(milliseconds{1'000});
    }
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
    client_.collect(*node_, now(), now_ns(), storage_failed_, found_, [this](std::uint64_t x) { note(x); });
    holders_.collect(now(), now_ns(), storage_failed_, [this](std::uint64_t x) { note(x); });
    note(imports_.collect(storage_failed_));
    note(queue_.collect(moment(), storage_failed_));
    registrants_.learn(storage_failed_);
  }

  std::vector<stored_rows> check_stored_rows() {
    const auto durable = node_->durable();
    std::vector<stored_rows> all;
    for (std::size_t t = 0; t < sim_types().size(); ++t) {
      all.push_back(check_type(*durable, node_->parts(t), sim_types()[t], held_, found_));
      imports_.check(t, all.back());
    }
    return all;
  }

  /// @pre no request is on its way
  void check_everything() {
    const auto rows = check_stored_rows();
    const auto durable = node_->durable();
    check_as_operators_do(*durable, found_);
    check_audit_trail(*durable, client_.steps(), found_);
    holders_.check(*durable, node_->parts(holders_type()).front(), now());
    queue_.check(*durable, now());
    registrants_.check(*durable);
    for (std::size_t t = 0; t < plain_types(); ++t) {
      model_.recovered(t, rows[t], now());
      for (const auto& key : model_.keys(t))
        model_.recovered_key(key, read_key(*durable, node_->parts(t), key_reference(key), found_), now());
    }
    model_.forget_requests();
  }

  /// The time that decisions are made at: the wall clock's, but never before one that may have been used.
  /// While the clock is suspect it is the time that has passed since it was not.
  [[nodiscard]] timestamp now() const {
    return std::max(ahead_ > allowance_ ? time_.wall() - ahead_ : time_.wall(), floor_);
  }
  [[nodiscard]] queue_clients::moment moment() const { return {now(), time_.wall(), time_.monotonic()}; }
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
  holders holders_;
  letters letters_;
  runs runs_;
  imports imports_;
  queue_clients queue_;
  registrant_clients registrants_;
  sim_clock time_;
  timestamp floor_{}; ///< of the times of decisions in this life
  std::shared_ptr<test::sim_disk> disk_ = std::make_shared<test::sim_disk>();
  std::unique_ptr<node> node_;
  std::unique_ptr<const backup> backup_;
  std::vector<held_interval> held_;
  milliseconds ahead_{0}; ///< of the wall clock against the time that was believed and has passed since
  milliseconds allowance_{0};
  bool storage_failed_ = false;
  bool broken_ = false;
  run_report report_;
  std::uint64_t hash_ = 14'695'981'039'346'656'037U;
};

} // namespace

run_report run_seed(std::uint64_t seed, planted_bug bug, bool trace) { return simulation(seed, bug, trace).run(); }

} // namespace matricula::sim
