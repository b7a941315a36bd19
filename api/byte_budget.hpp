/// A bound on what all connections together hold in memory.
#pragma once
#include <atomic>
#include <cstddef>

namespace matricula::api {

/// Thread safe.
class byte_budget {
public:
  explicit byte_budget(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// Whether `more` bytes fit; then they are taken until `give_back`.
  [[nodiscard]] bool take(std::size_t more) noexcept {
    if (used_.fetch_add(more, std::memory_order_relaxed) + more <= bytes_max_) return true;
    give_back(more);
    return false;
  }
  void give_back(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }
  [[nodiscard]] std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
};

/// What one connection has of a budget; it goes back with the object.
class byte_share {
public:
  /// What every connection may hold without asking: small requests pass even when the budget is used up.
  static constexpr std::size_t free_bytes = 8192;

  explicit byte_share(byte_budget& from) : from_(from) {}
  ~byte_share() { from_.give_back(taken_); }
  byte_share(const byte_share&) = delete;
  byte_share& operator=(const byte_share&) = delete;

  /// Whether the connection may hold `bytes` in all. When not, the share stays as it was.
  [[nodiscard]] bool hold(std::size_t bytes) noexcept {
    const auto wanted = bytes > free_bytes ? bytes - free_bytes : 0;
    if (wanted > taken_ && !from_.take(wanted - taken_)) return false;
    if (wanted < taken_) from_.give_back(taken_ - wanted);
    taken_ = wanted;
    return true;
  }

private:
  byte_budget& from_;
  std::size_t taken_ = 0;
};

} // namespace matricula::api
