#include "actors/alerts/alerts_actor.hpp"

#include "actors/answers.hpp"
#include "foundation/log.hpp"

#include <caf/behavior.hpp>
#include <caf/skip.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace matricula::actors {

using namespace alerts;

namespace {

constexpr std::size_t rows_a_write = 50;
constexpr std::size_t row_bytes = 4'096; ///< of one alert, with the debts of every sink

milliseconds positive(std::int64_t ms) { return milliseconds{std::clamp<std::int64_t>(ms, 0, 1LL << 40)}; }
std::optional<milliseconds> given(std::int64_t ms) { return ms > 0 ? std::optional(positive(ms)) : std::nullopt; }

void hand_to(const std::vector<std::shared_ptr<alert_sink>>& sinks, const notice& n,
             const std::vector<std::string>& names) {
  for (const auto& sink : sinks)
    if (std::ranges::find(names, sink->name()) != names.end()) sink->offer(n);
}

} // namespace

alerts_actor::alerts_actor(caf::actor_config& cfg, runtime::child_context context,
                           std::shared_ptr<const alerts_context> shared)
    : tenured_actor(cfg, std::move(context)), cx_(std::move(shared)), rules_(cx_->rules) {}

caf::behavior alerts_actor::make_behavior() {
  acquire(*cx_->log, cx_->part.shard, "alerts");
  return loading();
}

caf::behavior alerts_actor::loading() {
  const auto later = [] { return caf::result<void>(caf::skip()); };
  return {
      [this](const tenure_granted& granted) { begin_tenure(granted); },
      [later](const observe_condition&) { return later(); },
      [later](const acknowledge_alert&) { return later(); },
      [later](const notice_settled&) { return later(); },
      [](const tick&) {},
  };
}

void alerts_actor::load() {
  const auto durable = part_->durable();
  if (!durable) return give_up("the alerts: " + durable.error().message);
  auto known = storage::find_alerts(**durable, cx_->part);
  if (!known) return give_up("the alerts: " + known.error().message);
  if (known->unreadable > 0)
    shared().raise(
        {"unreadable_row", path(), "Rows of alerts do not decode and are passed over. Run matricula verify."});
  std::vector<std::string> names;
  for (const auto& sink : cx_->sinks) names.push_back(sink->name());
  book_.emplace(cx_->rhythm, std::move(names));
  written_next_ = known->next_id;
  book_->load(std::move(known->all), known->next_id, now());
  become(serving());
  on_beat();
}

caf::behavior alerts_actor::serving() {
  return {
      [this](const tick& t) {
        if (t.generation == beat_) on_beat();
      },
      [this](const observe_condition& seen) { on_observation(seen); },
      [this](const acknowledge_alert& m) { return on_acknowledge(m); },
      [this](const notice_settled& m) {
        const auto kind = static_cast<notice_kind>(m.kind);
        if (kind < notice_kind::first || kind > notice_kind::recovery) return;
        book_->settled(m.id, m.sink, kind);
        settle();
      },
      [](const tenure_granted&) {},
  };
}

moment alerts_actor::now() const { return {cx_->time->now(), cx_->monotonic->monotonic()}; }

void alerts_actor::on_beat() {
  delayed_send(this, cx_->beat, tick{++beat_});
  std::vector<reading> readings;
  for (const auto& source : cx_->sources) source(readings);
  cx_->numbers->add_to(readings);
  const auto at = now();
  for (const auto& f : rules_.apply(readings)) book_->take(f, at);
  book_->look(at);
  settle();
}

void alerts_actor::on_observation(const observe_condition& seen) {
  const auto how = seen.how == static_cast<std::uint8_t>(severity::critical) ? severity::critical : severity::warning;
  book_->take({.rule = seen.rule,
               .subject = seen.subject,
               .holds = seen.holds,
               .how = how,
               .text = seen.text,
               .after = positive(seen.after_ms),
               .quiet = given(seen.quiet_ms),
               .lasts = given(seen.lasts_ms)},
              now());
  settle();
}

caf::result<void> alerts_actor::on_acknowledge(const acknowledge_alert& request) {
  if (stand_down()) return caf::skip();
  if (const auto room = part_->reserve(row_bytes); !room) return refuse(request.reply, room.error());
  auto quieted =
      book_->acknowledge(request.id,
                         request.context.tenant.empty() ? request.context.principal
                                                        : request.context.tenant + "/" + request.context.principal,
                         now());
  if (!quieted) return refuse(request.reply, quieted.error());
  settle(when_durable(request.reply, std::move(*quieted), advice_on_alerts));
  return caf::unit;
}

void alerts_actor::settle(storage::completion<storage::verdict> then) {
  if (stand_down()) {
    if (then) then(storage::verdict::fenced);
    return;
  }
  auto news = book_->take_news();
  unwritten_.merge(news.changed);
  while (!unwritten_.empty()) {
    // Each row's notices go with the write that holds it.
    std::set<std::uint64_t> some;
    for (auto id = unwritten_.begin(); id != unwritten_.end() && some.size() < rows_a_write; ++id) some.insert(*id);
    std::vector<told_to> of_these;
    std::erase_if(news.notices, [&](told_to& n) {
      if (!some.contains(n.first.about.id)) return false;
      of_these.push_back(std::move(n));
      return true;
    });
    if (!write_rows(some, std::move(of_these))) break;
    for (const auto id : some) unwritten_.erase(id);
  }
  // What is owed from before needs no write of its own. And what the store has no room for is said all the same: an
  // alarm about the store cannot wait for the store. After a crash it is said again, rather than never.
  hand_out(news.notices);
  show();
  if (!then) return;
  if (unwritten_.empty())
    part_->after_settled(std::move(then));
  else
    then(storage::verdict::fenced);
}

bool alerts_actor::write_rows(const std::set<std::uint64_t>& ids, std::vector<told_to> notices) {
  auto room = part_->reserve(1'024 + ids.size() * row_bytes);
  if (!room) {
    if (!std::exchange(refusing_, true))
      log::error("alerts.not_written",
                 "The store has no room for what changed in the alerts: it is told, and written later. " +
                     room.error().message);
    hand_out(notices);
    return false;
  }
  refusing_ = false;
  storage::batch batch(cx_->part.shard);
  for (const auto id : ids) {
    if (const auto* a = book_->find(id))
      batch.put(storage::column::alerts, cx_->part.alert_key(id), encode(*a));
    else
      batch.erase(storage::column::alerts, cx_->part.alert_key(id));
  }
  if (written_next_ != book_->next_id()) {
    written_next_ = book_->next_id();
    storage::put_next_alert_id(batch, cx_->part, written_next_);
  }
  part_->write(std::move(*room), std::move(batch),
               [notices = std::move(notices), sinks = cx_->sinks](storage::verdict v) noexcept {
                 // Fenced: a successor tells it. Unknown: the process ends, and the next one sees what it has.
                 if (v != storage::verdict::durable) return;
                 for (const auto& [n, names] : notices) hand_to(sinks, n, names);
               });
  return true;
}

void alerts_actor::hand_out(const std::vector<told_to>& notices) const {
  for (const auto& [n, names] : notices) hand_to(cx_->sinks, n, names);
}

void alerts_actor::show() {
  auto all = std::make_shared<std::vector<alert>>();
  all->reserve(book_->all().size());
  for (const auto& [id, a] : book_->all()) all->push_back(a);
  cx_->board->set(std::move(all));
}

std::string alerts_actor::describe() const {
  if (!book_) return R"({"phase":"loading"})";
  const auto open = std::ranges::count_if(book_->all(), [](const auto& entry) { return !entry.second.ended_at; });
  std::string sinks;
  for (const auto& sink : cx_->sinks) {
    const auto s = sink->state();
    sinks += fmt::format(R"({}"{}":{{"waiting":{},"sent":{},"failed":{},"failures_in_a_row":{}}})",
                         sinks.empty() ? "" : ",", sink->name(), s.waiting, s.sent, s.failed, s.failures_in_a_row);
  }
  return fmt::format(R"({{"phase":"serving","open":{},"kept":{},"unwritten":{},"refused_findings":{},"sinks":{{{}}}}})",
                     open, book_->all().size(), unwritten_.size(), book_->refused(), sinks);
}

} // namespace matricula::actors
