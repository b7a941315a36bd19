#include "bench/scenarios.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

namespace matricula::bench {

void raw_syncs(const std::filesystem::path& folder, const extent& how_long, report& to) {
  constexpr std::size_t append_bytes = 4096;
  constexpr std::size_t slices = 10;
  constexpr std::size_t reserved_bytes = std::size_t{64} << 20;
  const auto file = folder / "raw_syncs";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("cannot write to " + folder.string() + ": " + std::strerror(errno));
  // As a write-ahead log does: space is taken beforehand, the file grows with each append. Not every disk can.
  (void)::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(reserved_bytes));
  const std::array<char, append_bytes> bytes{};
  std::vector<double> rates;
  bool good = true;
  while (good && rates.size() < slices) {
    const auto began = std::chrono::steady_clock::now();
    std::chrono::duration<double> taken{0};
    double synced = 0;
    for (; good && taken < how_long.raw_syncs / slices; ++synced) {
      good = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fdatasync(fd) == 0;
      taken = std::chrono::steady_clock::now() - began;
    }
    rates.push_back(synced / taken.count());
  }
  ::close(fd);
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (!good) throw std::runtime_error("cannot sync in " + folder.string() + ": " + std::strerror(errno));
  to.begin("The disk alone: appends of 4 KiB, each synced (fdatasync)");
  to.add({"median of the slices", median(rates), "/s"});
  to.add({"fastest slice", std::ranges::max(rates), "/s"});
}

} // namespace matricula::bench
