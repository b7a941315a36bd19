/// Refuses writes before the disk is full, and keeps a ballast to throw off so that recovery can write.
#pragma once
#include "foundation/error.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

namespace matricula::storage {

struct disk_guard_options {
  std::string directory;
  std::uint64_t min_free_bytes = std::uint64_t{256} << 20; ///< below it writes are refused
  std::uint64_t ballast_bytes = std::uint64_t{64} << 20;   ///< 0 = no ballast
  /// Free bytes for the directory; the file system's answer by default.
  std::function<result<std::uint64_t>(const std::string& directory)> free_bytes;
};

/// Make one before the store is opened: its constructor throws the ballast off when the disk is too full.
/// Thread safe.
class disk_guard {
public:
  static constexpr std::string_view ballast_name = "BALLAST";

  explicit disk_guard(disk_guard_options options);

  /// Whether writes must be refused, as of the last check. Full ends only an eighth above the bound, so that it does
  /// not flicker.
  [[nodiscard]] bool full() const noexcept { return full_.load(std::memory_order_relaxed); }
  /// Asks again, and takes the ballast on again when there is plenty of room. Cheap: one system call mostly.
  void check();
  /// Free bytes at the last check.
  [[nodiscard]] std::uint64_t free_bytes() const noexcept { return free_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool has_ballast() const noexcept { return ballast_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t min_free_bytes() const noexcept { return options_.min_free_bytes; }

private:
  [[nodiscard]] std::string ballast_path() const;
  void measure();
  void take_ballast();
  disk_guard_options options_;
  std::atomic<bool> full_{false};
  std::atomic<bool> ballast_{false};
  std::atomic<std::uint64_t> free_{0};
};

} // namespace matricula::storage
