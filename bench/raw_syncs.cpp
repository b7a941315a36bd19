#include "bench/scenarios.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <stdexcept>
#include <unistd.h>

namespace matricula::bench {

void raw_syncs(const std::filesystem::path& folder, const extent& how_long, report& to) {
  constexpr std::size_t append_bytes = 4096;
  constexpr std::size_t reserved_bytes = std::size_t{64} << 20;
  const auto file = folder / "raw_syncs";
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::runtime_error("cannot write to " + folder.string() + ": " + std::strerror(errno));
  // As a write-ahead log does: space is taken beforehand, the file grows with each append. Not every disk can.
  (void)::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(reserved_bytes));
  const std::array<char, append_bytes> bytes{};
  std::uint64_t synced = 0;
  bool good = true;
  const auto began = std::chrono::steady_clock::now();
  std::chrono::duration<double> taken{0};
  while (good && taken < how_long.raw_syncs) {
    good = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fdatasync(fd) == 0;
    ++synced;
    taken = std::chrono::steady_clock::now() - began;
  }
  ::close(fd);
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
  if (!good) throw std::runtime_error("cannot sync in " + folder.string() + ": " + std::strerror(errno));
  to.begin("The disk alone");
  to.add({"appends of 4 KiB, each synced (fdatasync)", static_cast<double>(synced) / taken.count(), "/s"});
}

} // namespace matricula::bench
