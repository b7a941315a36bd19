#include "api/deadline_wheel.hpp"

#include <algorithm>
#include <bit>

namespace matricula::api {

std::int64_t deadline_wheel::ticks_until(time_point at, bool up) noexcept {
  const auto since = at.time_since_epoch();
  return up ? std::chrono::ceil<std::chrono::milliseconds>(since).count() / tick.count() + 1
            : std::chrono::floor<std::chrono::milliseconds>(since).count() / tick.count();
}

deadline_wheel::deadline_wheel(time_point now) : at_(ticks_until(now, false)) {
  for (auto& head : heads_) head.previous_ = head.next_ = &head;
}

void deadline_wheel::unlink(entry& what) noexcept {
  what.previous_->next_ = what.next_;
  what.next_->previous_ = what.previous_;
  what.previous_ = what.next_ = nullptr;
}

void deadline_wheel::set(entry& what, time_point due) {
  if (what.previous_ != nullptr) unlink(what);
  what.due_ = std::max(ticks_until(due, true), at_ + 1);
  const auto slot = slot_of(what.due_);
  auto& head = heads_.at(slot);
  what.next_ = &head;
  what.previous_ = head.previous_;
  head.previous_->next_ = &what;
  head.previous_ = &what;
  filled_.at(slot / 64) |= std::uint64_t{1} << (slot % 64);
}

void deadline_wheel::clear(entry& what) noexcept {
  if (what.previous_ != nullptr) unlink(what);
}

deadline_wheel::entry* deadline_wheel::take_due(time_point now) {
  const auto until = ticks_until(now, false);
  // Beyond one round every slot comes once.
  at_ = std::max(at_, until - static_cast<std::int64_t>(slots));
  for (; at_ < until; ++at_) {
    const auto slot = slot_of(at_ + 1);
    const auto bit = std::uint64_t{1} << (slot % 64);
    if ((filled_.at(slot / 64) & bit) == 0) continue;
    auto& head = heads_.at(slot);
    for (auto* one = head.next_; one != &head; one = one->next_) {
      if (one->due_ > until) continue; // of a later round
      unlink(*one);
      return one;
    }
    if (head.next_ == &head) filled_.at(slot / 64) &= ~bit;
  }
  return nullptr;
}

std::optional<deadline_wheel::time_point> deadline_wheel::next() const {
  const auto first = slot_of(at_ + 1);
  // The word of the first slot is looked at twice: from that slot on, and at the end of the round before it.
  for (std::size_t i = 0; i <= filled_.size(); ++i) {
    const auto word = (first / 64 + i) % filled_.size();
    auto bits = filled_.at(word);
    if (i == 0) bits &= ~std::uint64_t{0} << (first % 64);
    if (bits == 0) continue;
    const auto slot = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
    const auto ahead = static_cast<std::int64_t>((slot + slots - first) % slots);
    return time_point(std::chrono::milliseconds((at_ + 1 + ahead) * tick.count()));
  }
  return std::nullopt;
}

} // namespace matricula::api
