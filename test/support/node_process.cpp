#include "test/support/node_process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char** environ; // NOLINT(readability-redundant-declaration)

namespace matricula::test {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds poll_pause{5};
constexpr milliseconds ready_within{20'000};
constexpr std::size_t tail_bytes = 6000;

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Starts a program with its output in files. It dies with the thread that called this.
pid_t spawn(std::vector<std::string> words, const std::vector<std::string>& more_environment,
            const std::filesystem::path& out, const std::filesystem::path& err) {
  std::vector<std::string> environment;
  for (char** e = environ; *e != nullptr; ++e)
    if (!std::string_view(*e).starts_with("MATRICULA_")) environment.emplace_back(*e);
  environment.insert(environment.end(), more_environment.begin(), more_environment.end());
  const auto argv = pointers_to(words);
  const auto envp = pointers_to(environment);
  const auto out_name = out.string();
  const auto err_name = err.string();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error(std::string("fork: ") + std::strerror(errno));
  if (pid > 0) return pid;
  // In the child: only what is allowed between fork and exec of a program with threads.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  const int in_fd = ::open("/dev/null", O_RDONLY);
  const int out_fd = ::open(out_name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const int err_fd = ::open(err_name.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in_fd < 0 || out_fd < 0 || err_fd < 0) ::_exit(127);
  ::dup2(in_fd, 0);
  ::dup2(out_fd, 1);
  ::dup2(err_fd, 2);
  ::execvpe(argv[0], argv.data(), envp.data());
  ::_exit(127);
}

int exit_code_of(int status) {
  if (WIFEXITED(status)) return WEXITSTATUS(status);
  return 128 + (WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const auto& word : words) all += word + ' ';
  return all;
}
} // namespace

std::string matricula_binary() {
  const char* named = std::getenv("MATRICULA_BINARY");
  return named != nullptr && *named != '\0' ? named : MATRICULA_BINARY;
}

bool eventually(const std::function<bool()>& condition, milliseconds at_most) {
  const auto deadline = steady_clock::now() + at_most;
  for (;;) {
    if (condition()) return true;
    if (steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(poll_pause);
  }
}

finished_command run_command(const std::vector<std::string>& words) {
  const scratch_directory here;
  const pid_t pid = spawn(words, {}, here / "out", here / "err");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return {exit_code_of(status), read_text(here / "out"), read_text(here / "err")};
}

std::vector<std::string> small_pools() {
  std::vector<std::string> sets;
  for (const char* type :
       {"uin", "vid", "prid", "social_id", "family_id", "farmer", "household", "tracking_id", "registration_number"}) {
    sets.push_back(std::string("identifiers.types.") + type + ".pool_min=1000");
    sets.push_back(std::string("identifiers.types.") + type + ".pool_target=2000");
  }
  return sets;
}

node_process::node_process(node_options options) : options_(std::move(options)) {
  data_ = options_.data.empty() ? scratch_ / "data" : options_.data;
  const auto key = run_command({matricula_binary(), "key", "create", key_file().string()});
  if (key.status != 0) throw std::runtime_error("matricula key create: " + key.errors);
  token_ = make_token("tester", "*");
  if (options_.config) write_config(*options_.config);
}

node_process::~node_process() { kill(); }

std::string node_process::make_token(const std::string& name, const std::string& scopes) const {
  const auto made = run_command({matricula_binary(), "token", "create", "--name", name, "--scopes", scopes, "--set",
                                 "auth.tokens_file=" + tokens_file().string()});
  if (made.status != 0) throw std::runtime_error("matricula token create: " + made.errors);
  return made.output.substr(0, made.output.find('\n'));
}

void node_process::write_config(std::string_view text) const {
  // Replaced as a whole: a node that reads it meanwhile sees the one or the other.
  const auto fresh = config_file().string() + ".new";
  std::ofstream(fresh, std::ios::binary) << text;
  std::filesystem::rename(fresh, config_file());
}

std::vector<std::string> node_process::command() const {
  std::vector<std::string> words = {matricula_binary(), "serve", "--data", data_.string(), "--listen", "127.0.0.1:0"};
  const auto set = [&words](const std::string& what) {
    words.emplace_back("--set");
    words.push_back(what);
  };
  if (options_.config) {
    words.emplace_back("--config");
    words.push_back(config_file().string());
  }
  set("identifiers.key_file=" + key_file().string());
  set("auth.tokens_file=" + tokens_file().string());
  set("log.format=json");
  for (const auto& one : options_.sets) set(one);
  words.insert(words.end(), options_.arguments.begin(), options_.arguments.end());
  return words;
}

bool node_process::launch() {
  kill();
  ++launches_;
  port_ = 0;
  pid_ = spawn(command(), options_.environment, scratch_ / ("out" + std::to_string(launches_)),
               scratch_ / ("log" + std::to_string(launches_)));
  constexpr std::string_view mark = "\"port\":";
  return eventually(
             [&] {
               const auto text = log();
               const auto event = text.find("\"event\":\"node.started\"");
               const auto at = event == std::string::npos ? event : text.find(mark, event);
               if (at != std::string::npos)
                 port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + at + mark.size()));
               return port_ != 0 || !running();
             },
             ready_within) &&
         port_ != 0;
}

void node_process::start() {
  if (!launch()) throw std::runtime_error("the node did not start: " + joined(command()) + "\n" + log_tail());
  http_client probe(port_);
  std::string said;
  const bool is_ready = eventually(
      [&] {
        const auto answer = probe.send({.target = "/readyz"});
        said = answer ? answer->body : "no answer";
        return (answer && answer->status == 200) || !running();
      },
      ready_within);
  if (!is_ready || !running()) throw std::runtime_error("the node did not become ready: " + said + "\n" + log_tail());
}

void node_process::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::optional<int> node_process::wait_for_end(milliseconds at_most) {
  std::optional<int> code;
  (void)eventually(
      [&] {
        if (pid_ <= 0) return true;
        int status = 0;
        if (::waitpid(pid_, &status, WNOHANG) != pid_) return false;
        pid_ = -1;
        code = exit_code_of(status);
        return true;
      },
      at_most);
  return code;
}

bool node_process::running() {
  if (pid_ <= 0) return false;
  siginfo_t info{};
  // Does not reap: the exit code stays for wait_for_end.
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

void node_process::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

int node_process::stop() {
  signal(SIGTERM);
  const auto code = wait_for_end(ready_within);
  if (!code) {
    const auto tail = log_tail();
    kill();
    throw std::runtime_error("the node did not stop\n" + tail);
  }
  return *code;
}

std::string node_process::log() const { return read_text(scratch_ / ("log" + std::to_string(launches_))); }

bool node_process::logged(std::string_view event) const {
  return log().find("\"event\":\"" + std::string(event) + "\"") != std::string::npos;
}

std::string node_process::log_tail() const {
  // Without the access log, in which the rest would drown.
  std::istringstream all(log());
  std::string text;
  for (std::string line; std::getline(all, line);)
    if (line.find("\"event\":\"http.request\"") == std::string::npos) text += line + '\n';
  return text.size() <= tail_bytes ? text : "..." + text.substr(text.size() - tail_bytes);
}

} // namespace matricula::test
