#include "storage/partition.hpp"

#include "foundation/bytes.hpp"

#include <algorithm>

namespace matricula::storage {

partition::partition(commit_log& log, const tenure& held) : log_(log), tenure_(held) {}

result<std::optional<std::string>> partition::get(column where, std::string_view key) {
  forget_settled();
  bring_overlay_up_to_date();
  if (!overlay_.empty()) {
    std::string name;
    name.reserve(key.size() + 2);
    name.push_back(static_cast<char>(where));
    name.push_back(static_cast<char>(key.size()));
    name.append(key);
    if (const auto i = overlay_.find(name); i != overlay_.end()) {
      if (!i->second.value) return std::optional<std::string>{};
      return std::optional<std::string>(*i->second.value);
    }
  }
  const auto now = log_.read(tenure_.shard);
  if (!now) return std::unexpected(now.error());
  return (*now)->get(where, key);
}

void partition::write(permit room, batch what, completion<verdict> settled) {
  forget_settled();
  const auto ticket = ++written_;
  unsettled_.push_back({ticket, std::string(what.encoded()), {}});
  log_.append(std::move(room), std::move(what),
              [block = shared_, done = std::move(settled)](verdict v, position) mutable noexcept {
                if (v != verdict::durable) block->broken.store(true, std::memory_order_release);
                const auto settled_now = block->settled.fetch_add(1, std::memory_order_release) + 1;
                done(v);
                for (;;) {
                  completion<verdict> next;
                  {
                    const std::lock_guard guard(block->mutex);
                    if (block->waiting.empty() || block->waiting.front().first > settled_now) return;
                    next = std::move(block->waiting.front().second);
                    block->waiting.pop_front();
                  }
                  next(v);
                }
              });
}

void partition::after_settled(completion<verdict> then) {
  {
    const std::lock_guard guard(shared_->mutex);
    if (shared_->settled.load(std::memory_order_acquire) < written_) {
      shared_->waiting.emplace_back(written_, std::move(then));
      return;
    }
  }
  then(trustworthy() ? verdict::durable : verdict::unknown);
}

void partition::forget_settled() {
  const auto settled = shared_->settled.load(std::memory_order_acquire);
  while (!unsettled_.empty() && unsettled_.front().ticket <= settled) {
    for (const auto& key : unsettled_.front().keys) {
      const auto i = overlay_.find(key);
      if (i != overlay_.end() && i->second.ticket == unsettled_.front().ticket) overlay_.erase(i);
    }
    unsettled_.pop_front();
  }
}

void partition::bring_overlay_up_to_date() {
  if (laid_over_ == written_) return;
  const auto first = std::ranges::upper_bound(unsettled_, laid_over_, {}, &unsettled_batch::ticket);
  for (auto i = first; i != unsettled_.end(); ++i) lay_over(*i);
  laid_over_ = written_;
}

void partition::lay_over(unsettled_batch& one) {
  const auto base = std::string_view(one.bytes);
  const auto note = [&](std::string_view key, std::optional<std::string_view> value) {
    // In the encoding a key follows its column byte and its length, one byte for our short keys: that is its name here.
    require(key.size() < 128, "keys are shorter than 128 bytes");
    const auto name = base.substr(static_cast<std::size_t>(key.data() - base.data()) - 2, key.size() + 2);
    one.keys.push_back(name);
    // Erase first: an older entry's name points into a batch that may be forgotten before this one.
    overlay_.erase(name);
    overlay_.emplace(name, pending_value{one.ticket, value});
  };
  const bool well_formed = batch::decode(
      base, [&](column, std::string_view k, std::string_view v) { note(k, v); },
      [&](column, std::string_view k) { note(k, std::nullopt); });
  require(well_formed, "a batch decodes");
}

} // namespace matricula::storage
