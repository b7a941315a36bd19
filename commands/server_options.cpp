#include "commands/server_options.hpp"

#include "foundation/log.hpp"

#include <algorithm>
#include <sys/resource.h>
#include <thread>

namespace matricula::commands {

using std::chrono::milliseconds;

namespace {
/// For the store's files, the log, and connections to others.
constexpr rlim_t other_files = 512;

/// One for each of the first two processors: where one alone answers a group of writes, whoever asks next waits.
std::size_t loops_for(unsigned processors) noexcept {
  constexpr unsigned processors_a_loop = 4;
  return 1 + (processors + processors_a_loop / 2) / processors_a_loop;
}

std::size_t connections_that_fit(std::size_t wanted) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted + other_files) return wanted;
  const auto fit = std::max<rlim_t>(files.rlim_cur > other_files ? files.rlim_cur - other_files : 0, 16);
  log::warning("http.few_descriptors",
               "The process may open too few files for server.connections_max, so that fewer connections are taken. "
               "Raise the limit (LimitNOFILE in systemd, ulimit -Hn), or lower the setting.",
               {{"open_files_max", files.rlim_cur}, {"connections_max", wanted}, {"taken", fit}});
  return fit;
}
} // namespace

api::server_options server_options_of(const config::settings& s) {
  const auto address = config::split_address(s.server.listen);
  api::server_options listen;
  listen.host = address->host;
  listen.port = address->port;
  listen.loops = s.server.event_loops != 0 ? s.server.event_loops : loops_for(std::thread::hardware_concurrency());
  listen.threads = s.server.threads;
  listen.waiting_max = s.server.requests_waiting_max;
  listen.connections_max = connections_that_fit(s.server.connections_max);
  listen.buffered_bytes_max = s.server.buffered_bytes_max;
  listen.connection.requests_max = s.server.keep_alive_requests_max;
  listen.connection.keep_alive = milliseconds{s.server.keep_alive_timeout_ms};
  listen.connection.head.bytes_max = s.server.header_bytes_max;
  listen.connection.head_timeout = milliseconds{s.server.read_timeout_ms};
  listen.connection.body_timeout = milliseconds{s.server.read_timeout_ms};
  listen.connection.write_timeout = milliseconds{s.server.write_timeout_ms};
  listen.tls = {s.tls.certificate, s.tls.key};
  return listen;
}

} // namespace matricula::commands
