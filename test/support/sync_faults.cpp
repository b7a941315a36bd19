// Preloaded into a node: makes its syncs wait or fail while certain files exist. Both functions are the ones that the
// store syncs its log with. MATRICULA_TEST_SYNC_FAULTS names a folder; in it
//   hold   every sync waits until the file is gone,
//   fail   every sync fails with EIO.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <dlfcn.h>
#include <unistd.h>

namespace {
using sync_function = int (*)(int);

bool is_there(const char* name) {
  const char* folder = std::getenv("MATRICULA_TEST_SYNC_FAULTS");
  char path[4096];
  if (folder == nullptr || std::snprintf(path, sizeof path, "%s/%s", folder, name) >= static_cast<int>(sizeof path))
    return false;
  return ::access(path, F_OK) == 0;
}

int spoil(sync_function real, int fd) {
  constexpr timespec pause{0, 1'000'000};
  while (is_there("hold")) ::nanosleep(&pause, nullptr);
  if (is_there("fail")) {
    errno = EIO;
    return -1;
  }
  return real(fd);
}
} // namespace

extern "C" int fdatasync(int fd) {
  static const auto real = reinterpret_cast<sync_function>(::dlsym(RTLD_NEXT, "fdatasync"));
  return spoil(real, fd);
}

extern "C" int fsync(int fd) {
  static const auto real = reinterpret_cast<sync_function>(::dlsym(RTLD_NEXT, "fsync"));
  return spoil(real, fd);
}
