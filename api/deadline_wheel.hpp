/// Deadlines of many connections: setting, moving and clearing one takes constant time, whatever their number.
/// Source: G. Varghese and T. Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 6.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace matricula::api {

/// Not thread safe. A deadline passes up to `tick` late, never early.
class deadline_wheel {
public:
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds tick{8};

  /// A place in the wheel, part of whatever has the deadline. Not set when made.
  class entry {
  public:
    entry() = default;
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

  private:
    friend class deadline_wheel;
    entry* previous_ = nullptr; ///< null: not set
    entry* next_ = nullptr;
    std::int64_t due_ = 0; ///< in ticks
  };

  explicit deadline_wheel(time_point now);
  deadline_wheel(const deadline_wheel&) = delete;
  deadline_wheel& operator=(const deadline_wheel&) = delete;

  /// Sets or moves it. @param what stays where it is in memory until it is cleared or has passed.
  void set(entry& what, time_point due);
  void clear(entry& what) noexcept;

  /// An entry whose deadline has passed, no longer set; null when there is none left. In no particular order.
  [[nodiscard]] entry* take_due(time_point now);
  /// When `take_due` may have something next; it need not. Nothing while no entry is set.
  [[nodiscard]] std::optional<time_point> next() const;

private:
  static constexpr std::size_t slots = 1024;
  [[nodiscard]] static std::int64_t ticks_until(time_point at, bool up) noexcept;
  [[nodiscard]] static std::size_t slot_of(std::int64_t ticks) noexcept {
    return static_cast<std::size_t>(ticks) % slots;
  }
  static void unlink(entry& what) noexcept;

  std::int64_t at_; ///< every tick up to here is done with
  std::array<entry, slots> heads_;
  std::array<std::uint64_t, slots / 64> filled_{}; ///< a bit a slot, set at least where entries are
};

} // namespace matricula::api
