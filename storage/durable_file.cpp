#include "storage/durable_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace matricula::storage {

namespace {

std::unexpected<error> refused(std::string_view what, const std::filesystem::path& path, int code) {
  return fail(code == ENOSPC   ? errc::storage_full
              : code == ENOENT ? errc::not_found
                               : errc::io,
              fmt::format("cannot {} {}: {}", what, path.string(), std::system_category().message(code)));
}

/// Closes itself.
struct descriptor {
  int fd;
  explicit descriptor(int f) : fd(f) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd >= 0) (void)::close(fd);
  }
};

} // namespace

std::filesystem::path durable_file::temporary() const { return path_.string() + ".partial"; }

result<durable_file> durable_file::create(const std::filesystem::path& path) {
  durable_file f{-1, path};
  f.fd_ = ::open(f.temporary().c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  if (f.fd_ < 0) return refused("create", f.temporary(), errno);
  return f;
}

durable_file::durable_file(durable_file&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

durable_file::~durable_file() {
  if (fd_ < 0) return;
  (void)::close(fd_);
  (void)::unlink(temporary().c_str());
}

result<void> durable_file::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused("write", temporary(), errno);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

result<void> durable_file::publish() {
  if (::fsync(fd_) != 0) return refused("sync", temporary(), errno);
  if (::rename(temporary().c_str(), path_.c_str()) != 0) return refused("name", path_, errno);
  (void)::close(std::exchange(fd_, -1));
  return sync_directory(path_.parent_path());
}

result<void> read_file(const std::filesystem::path& path, const std::function<result<void>(std::string_view)>& piece) {
  const descriptor in{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (in.fd < 0) return refused("open", path, errno);
  std::vector<char> buffer(std::size_t{1} << 20);
  for (;;) {
    const auto n = ::read(in.fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return refused("read", path, errno);
    if (n == 0) return {};
    if (auto taken = piece({buffer.data(), static_cast<std::size_t>(n)}); !taken) return taken;
  }
}

result<std::string> read_small_file(const std::filesystem::path& path, std::size_t bytes_max) {
  std::string out;
  const auto read = read_file(path, [&](std::string_view piece) -> result<void> {
    if (out.size() + piece.size() > bytes_max)
      return fail(errc::corrupt, fmt::format("{} is longer than {} bytes", path.string(), bytes_max));
    out.append(piece);
    return {};
  });
  if (!read) return std::unexpected(read.error());
  return out;
}

result<void> sync_directory(const std::filesystem::path& directory) {
  // The parent of a name without a slash is the working directory.
  const descriptor d{::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (d.fd < 0 || ::fsync(d.fd) != 0) return refused("sync the directory", directory, errno);
  return {};
}

result<void> make_empty_directory(const std::filesystem::path& directory) {
  std::error_code code;
  if (std::filesystem::create_directory(directory, code)) return {};
  if (code) return refused("make the directory", directory, code.value());
  if (!std::filesystem::is_empty(directory, code))
    return fail(errc::conflict,
                fmt::format("{} is not an empty directory: name an empty or a new one", directory.string()));
  return {};
}

} // namespace matricula::storage
