#include "commands/private_file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

namespace matricula::commands {

result<std::string> read_private_file(const std::string& path, std::string_view setting, std::size_t bytes_max) {
  // A pipe without a writer would hold up the start.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return fail(errc::io, fmt::format("{} {}: {}.", setting, path, std::strerror(errno)));
  const std::unique_ptr<const int, void (*)(const int*)> closer(&fd, [](const int* f) { ::close(*f); });
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
    return fail(errc::io, fmt::format("{} {} is not a file.", setting, path));
  if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(errc::forbidden, fmt::format("{} {} may be read by others. Run `chmod 600 {}`.", setting, path, path));
  std::string text(bytes_max, '\0');
  const auto n = ::read(fd, text.data(), text.size());
  if (n < 0) return fail(errc::io, fmt::format("{} {}: {}.", setting, path, std::strerror(errno)));
  text.resize(static_cast<std::size_t>(n));
  return text;
}

} // namespace matricula::commands
