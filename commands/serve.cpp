#include "commands/commands.hpp"
#include "commands/node.hpp"
#include "config/report.hpp"
#include "foundation/log.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <malloc.h>
#include <sys/resource.h>
#include <thread>

namespace matricula::commands {

namespace {

/// Few arenas: many threads with one each would hold on to tens of megabytes.
constexpr int malloc_arenas_max = 4;

void raise_file_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &files);
}

} // namespace

int serve(const serve_options& options) {
  const auto loaded = options.settings.load();
  if (!loaded) {
    fmt::print(stderr, "{}", config::problem_report(loaded.error()));
    return 1;
  }
  mallopt(M_ARENA_MAX, malloc_arenas_max);
  raise_file_limit();
  log::configure(loaded->values.log.level, loaded->values.log.format);

  // Signals are taken by this thread alone; every other one inherits the mask.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int s : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  auto started = node::start({.settings = *loaded,
                              .load_again = [settings = options.settings] { return settings.load(); },
                              .bench_route = options.bench_route,
                              .version = options.version});
  if (!started) {
    log::error("node.start_refused", started.error().message);
    log::flush();
    return 1;
  }
  auto& running = **started;
  for (;;) {
    int received = 0;
    sigwait(&signals, &received);
    if (received == SIGHUP) {
      (void)running.reload(); // whatever comes of it is in the log
      continue;
    }
    log::info("node.stopping", "Stopping: finishing what is in flight. A second signal stops at once.");
    std::thread([signals] {
      int again = 0;
      do sigwait(&signals, &again);
      while (again == SIGHUP);
      log::warning("node.stopped_now", "Stopped at once. Everything acknowledged is durable.");
      log::flush();
      std::_Exit(0);
    }).detach();
    running.stop();
    log::flush();
    return 0;
  }
}

} // namespace matricula::commands
