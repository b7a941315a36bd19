#include "test/support/postgres_server.hpp"

#include "test/support/node_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <pwd.h>
#include <sstream>
#include <stdexcept>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace matricula::test {

namespace {

constexpr const char* programs = "/usr/lib/postgresql/15/bin/";
constexpr std::size_t tail_bytes = 4000;

/// The server refuses to run as root: then another user runs it.
const passwd* other_user() {
  if (::geteuid() != 0) return nullptr;
  const auto* user = ::getpwnam("postgres");
  if (user == nullptr) user = ::getpwnam("nobody");
  if (user == nullptr) throw std::runtime_error("neither a user postgres nor nobody to run PostgreSQL as");
  return user;
}

/// Words of a command that runs as that user and dies with this program.
std::vector<std::string> as_other_user(std::vector<std::string> words) {
  const auto* user = other_user();
  if (user == nullptr) return words;
  std::vector<std::string> all{"setpriv",
                               "--reuid=" + std::to_string(user->pw_uid),
                               "--regid=" + std::to_string(user->pw_gid),
                               "--clear-groups",
                               "--pdeathsig=KILL",
                               "--"};
  all.insert(all.end(), words.begin(), words.end());
  return all;
}

void run(const std::vector<std::string>& words) {
  const auto done = run_command(words);
  if (done.status != 0) throw std::runtime_error(words.front() + ": " + done.errors);
}

/// To make a cluster takes seconds, to copy one a moment: the first test program makes it, beside the test programs.
void copy_new_cluster(const std::filesystem::path& to) {
  const std::filesystem::path kept = MATRICULA_TEST_CLUSTER;
  const int lock = ::open((kept.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || ::flock(lock, LOCK_EX) != 0) throw std::runtime_error("the lock of " + kept.string());
  if (!std::filesystem::exists(kept)) {
    run(as_other_user({std::string(programs) + "initdb", "--pgdata", to.string(), "--username=postgres", "--auth=trust",
                       "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"}));
    const auto fresh = kept.string() + ".new";
    std::filesystem::remove_all(fresh);
    run({"cp", "-a", to.string(), fresh});
    std::filesystem::rename(fresh, kept);
  } else {
    run({"cp", "-a", kept.string(), to.string()});
  }
  ::close(lock);
}

} // namespace

postgres_server::postgres_server() {
  if (const auto* user = other_user(); user && ::chown(scratch_.path().c_str(), user->pw_uid, user->pw_gid) != 0)
    throw std::runtime_error(std::string("chown: ") + std::strerror(errno));
  copy_new_cluster(scratch_ / "data");
  start();
}

postgres_server::~postgres_server() { end_by(SIGKILL); }

void postgres_server::start() {
  auto words = as_other_user({std::string(programs) + "postgres", "-D", (scratch_ / "data").string(), "-k",
                              scratch_.path().string(), "-c", "listen_addresses=", "-c", "fsync=off", "-c",
                              "shared_buffers=32MB", "-c", "max_connections=50", "-c", "logging_collector=off"});
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const auto log = (scratch_ / "log").string();
  // After a SIGKILL the old processes need a moment to see it, and a new server waits for them by refusing to start.
  const bool up = eventually([&] {
    if (pid_ < 0) {
      const pid_t parent = ::getpid();
      pid_ = ::fork();
      if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(127);
        const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (out < 0) ::_exit(127);
        ::dup2(out, 1);
        ::dup2(out, 2);
        ::execvp(argv[0], argv.data());
        ::_exit(127);
      }
      if (pid_ < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
    return pid_ > 0 && run_command({std::string(programs) + "pg_isready", "-q", "-h", scratch_.path().string(), "-U",
                                    "postgres", "-d", "postgres"})
                               .status == 0;
  });
  if (!up) throw std::runtime_error("PostgreSQL did not start: " + log_tail());
}

void postgres_server::end_by(int signal) {
  if (pid_ < 0) return;
  ::kill(pid_, signal);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

void postgres_server::stop() { end_by(SIGINT); }

void postgres_server::kill() {
  if (pid_ < 0) return;
  // The sessions' processes outlive their parent for a moment, in which they still answer: they die with it here.
  ::kill(pid_, SIGSTOP);
  std::vector<int> sessions;
  std::ifstream children("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
  for (pid_t child = 0; children >> child;)
    if (const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, child, 0)); fd >= 0) sessions.push_back(fd);
  for (const auto fd : sessions) ::syscall(SYS_pidfd_send_signal, fd, SIGKILL, nullptr, 0);
  end_by(SIGKILL);
  for (const auto fd : sessions) {
    pollfd gone{.fd = fd, .events = POLLIN, .revents = 0};
    while (::poll(&gone, 1, -1) < 0 && errno == EINTR) {
    }
    ::close(fd);
  }
}

std::string postgres_server::connection(std::string_view user) const {
  return "host=" + scratch_.path().string() + " dbname=postgres user=" + std::string(user);
}

std::string postgres_server::log_tail() const {
  std::ifstream in(scratch_ / "log", std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  const auto all = std::move(text).str();
  return all.size() > tail_bytes ? all.substr(all.size() - tail_bytes) : all;
}

} // namespace matricula::test
