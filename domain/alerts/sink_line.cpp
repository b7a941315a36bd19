#include "domain/alerts/sink_line.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace matricula::alerts {

void sink_line::add(notice n) {
  // Whoever was started anew brings again what may still wait here.
  const bool waits = n.kind != notice_kind::repeat && std::ranges::any_of(waiting_, [&](const notice& w) {
                       return w.kind == n.kind && w.about.id == n.about.id;
                     });
  if (waits) return;
  // The front one may be on its way: it is left alone.
  const auto first = waiting_.begin() + (begun_ ? 1 : 0);
  const auto older = std::find_if(first, waiting_.end(), [&](const notice& w) {
    return w.kind == notice_kind::repeat && w.about.id == n.about.id;
  });
  if (n.kind != notice_kind::first && older != waiting_.end()) waiting_.erase(older);
  waiting_.push_back(std::move(n));
  shrink();
  state_.waiting = waiting_.size();
}

void sink_line::shrink() {
  while (waiting_.size() > waiting_max_) {
    const auto from = waiting_.begin() + (begun_ ? 1 : 0);
    const auto repeat =
        std::find_if(from, waiting_.end(), [](const notice& w) { return w.kind == notice_kind::repeat; });
    if (repeat != waiting_.end()) {
      waiting_.erase(repeat);
      ++state_.dropped;
      continue;
    }
    // Whoever is being told that it began is told that it ended, too.
    const auto over = std::find_if(from, waiting_.end(), [&](const notice& w) {
      return w.kind == notice_kind::recovery && !(begun_ && w.about.id == waiting_.front().about.id);
    });
    if (over == waiting_.end()) return; // of open alerts, of which there are only so many
    const auto id = over->about.id;
    const auto of_it = [id](const notice& w) { return w.about.id == id; };
    std::copy_if(from, waiting_.end(), std::back_inserter(dropped_), of_it);
    const auto gone = std::remove_if(from, waiting_.end(), of_it);
    state_.dropped += static_cast<std::uint64_t>(waiting_.end() - gone);
    waiting_.erase(gone, waiting_.end());
  }
}

const notice* sink_line::begin(nanoseconds now) {
  if (waiting_.empty() || now < not_before_) return nullptr;
  begun_ = true;
  return &waiting_.front();
}

void sink_line::settle(const delivery& how, nanoseconds now, random_source& random) {
  require(begun_, "a notice that was begun is settled");
  begun_ = false;
  // A sink that refuses everything passes on as little as one that is down.
  if (how.how == delivery::outcome::done)
    state_.failures_in_a_row = 0;
  else if (state_.failures_in_a_row++ == 0)
    state_.failing_since = now;
  if (how.how == delivery::outcome::failed) {
    ++state_.failed;
    not_before_ = now + tasks::backoff(retry_, state_.failures_in_a_row, random);
    return;
  }
  ++(how.how == delivery::outcome::done ? state_.sent : state_.refused);
  not_before_ = now;
  waiting_.pop_front();
  state_.waiting = waiting_.size();
}

std::optional<std::chrono::nanoseconds> sink_line::next_at() const {
  if (waiting_.empty()) return std::nullopt;
  return not_before_;
}

} // namespace matricula::alerts
