#include "storage/disk_guard.hpp"

#include "foundation/log.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/statvfs.h>
#include <system_error>
#include <unistd.h>

namespace matricula::storage {

namespace {

result<std::uint64_t> ask_file_system(const std::string& directory) {
  struct statvfs s{};
  if (::statvfs(directory.c_str(), &s) != 0)
    return fail(errc::io, fmt::format("cannot ask for the free space of {}: {}", directory,
                                      std::system_category().message(errno)));
  return static_cast<std::uint64_t>(s.f_bavail) * s.f_frsize;
}

} // namespace

disk_guard::disk_guard(disk_guard_options options) : options_(std::move(options)) {
  if (!options_.free_bytes) options_.free_bytes = ask_file_system;
  std::error_code ignored;
  ballast_ = std::filesystem::exists(ballast_path(), ignored);
  measure();
  if (full() && has_ballast()) {
    log::warning("store.ballast_freed", "the disk is too full: the ballast file makes room for recovery",
                 {{"free_bytes", free_bytes()}, {"ballast_bytes", options_.ballast_bytes}});
    std::filesystem::remove(ballast_path(), ignored);
    ballast_ = false;
  }
}

std::string disk_guard::ballast_path() const { return options_.directory + "/" + std::string(ballast_name); }

void disk_guard::measure() {
  const auto free = options_.free_bytes(options_.directory);
  if (!free) {
    log::warning("store.free_space_unknown", free.error().message);
    return; // keeps the last answer
  }
  free_ = *free;
  const auto bound = options_.min_free_bytes;
  const bool was_full = full();
  const bool now_full = *free < (was_full ? bound + bound / 8 : bound);
  full_ = now_full;
  if (now_full && !was_full)
    log::error("store.disk_full", "too little disk space: writes are refused, reading goes on",
               {{"free_bytes", *free}, {"min_free_bytes", bound}});
  if (was_full && !now_full) log::info("store.disk_has_room", "writes are accepted again", {{"free_bytes", *free}});
}

void disk_guard::check() {
  measure();
  const auto plenty = options_.min_free_bytes + options_.min_free_bytes / 4 + options_.ballast_bytes;
  if (!full() && !has_ballast() && options_.ballast_bytes > 0 && free_bytes() > plenty) take_ballast();
}

void disk_guard::take_ballast() {
  const auto path = ballast_path();
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return; // the directory may not be there yet; the next check tries again
  const int failed = ::posix_fallocate(fd, 0, static_cast<off_t>(options_.ballast_bytes));
  (void)::close(fd);
  if (failed != 0) {
    (void)::unlink(path.c_str());
    return;
  }
  ballast_ = true;
}

} // namespace matricula::storage
