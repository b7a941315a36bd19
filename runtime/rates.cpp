#include "runtime/rates.hpp"

namespace matricula::runtime {

using namespace std::chrono_literals;

void rate_meter::sample(std::chrono::nanoseconds now, std::uint64_t total) {
  if (!points_.empty() && now < points_.back().at + 500ms) return;
  points_.push_back({now, total});
  // One point before the window is kept, so that a full window can be measured.
  while (points_.size() > 2 && points_[1].at + 60s <= now) points_.pop_front();
}

double rate_meter::over(std::chrono::nanoseconds window, std::chrono::nanoseconds now, std::uint64_t total) const {
  const point* from = nullptr;
  for (auto p = points_.rbegin(); p != points_.rend(); ++p) {
    if (p->at >= now) continue;
    from = &*p;
    if (p->at + window <= now) break;
  }
  if (from == nullptr || total < from->total) return 0;
  return static_cast<double>(total - from->total) / std::chrono::duration<double>(now - from->at).count();
}

message_rates rate_meter::rates(std::chrono::nanoseconds now, std::uint64_t total) const {
  return {over(1s, now, total), over(10s, now, total), over(60s, now, total)};
}

} // namespace matricula::runtime
