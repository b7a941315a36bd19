// examples/worker.py as it is, against a real node: it does tasks, and none is lost or counted twice when it is killed
// or frozen.
#include "test/e2e/task_world.hpp"

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace matricula::test {

using nlohmann::json;

namespace {

/// The script as a process of its own. It ends with the object, and with the test program.
class example_worker {
public:
  /// @param program what it runs for each task, a line for /bin/sh
  example_worker(const node_process& node, std::filesystem::path log, const std::string& name, int lease_seconds,
                 const std::string& program, const std::string& type = "example")
      : log_(std::move(log)) {
    const std::string script = MATRICULA_SOURCE_DIR "/examples/worker.py";
    const std::vector<std::string> words{"python3",
                                         "-u",
                                         script,
                                         "--url",
                                         "http://127.0.0.1:" + std::to_string(node.port()),
                                         "--type",
                                         type,
                                         "--name",
                                         name,
                                         "--lease-seconds",
                                         std::to_string(lease_seconds),
                                         "--",
                                         "/bin/sh",
                                         "-c",
                                         program};
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const auto token = "MATRICULA_TOKEN=" + node.token();
    std::vector<char*> environment{const_cast<char*>(token.c_str())};
    for (char** one = environ; *one != nullptr; ++one) environment.push_back(*one);
    environment.push_back(nullptr);
    const auto parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(127);
      const int out = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
      if (out < 0) ::_exit(127);
      ::dup2(out, 1);
      ::dup2(out, 2);
      ::execvpe(argv[0], argv.data(), environment.data());
      ::_exit(127);
    }
  }
  ~example_worker() {
    if (pid_ <= 0) return;
    signal(SIGKILL);
    (void)end();
  }
  example_worker(const example_worker&) = delete;
  example_worker& operator=(const example_worker&) = delete;

  void signal(int number) const { ::kill(pid_, number); }
  /// Its exit code, or 128 + signal, once it has ended.
  int end() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] std::string log() const {
    std::ostringstream all;
    all << std::ifstream(log_).rdbuf();
    return all.str();
  }
  [[nodiscard]] bool logged(const std::string& what) const { return log().find(what) != std::string::npos; }

private:
  std::filesystem::path log_;
  pid_t pid_ = -1;
};

class example_workers : public ::testing::Test {
protected:
  static const node_process& started(node_process& node) {
    node.start();
    return node;
  }
  void TearDown() override {
    let_go(); // whoever still waits there
    if (gate_ >= 0) ::close(gate_);
    if (HasFailure()) std::fprintf(stderr, "%s\n", node_.log_tail().c_str());
  }
  /// The program's first run waits until it is let go, the others do not.
  [[nodiscard]] std::string waits_the_first_time() {
    EXPECT_EQ(::mkfifo((folder_ / "gate").c_str(), 0600), 0);
    return "cd '" + folder_.path().string() + "'; if mkdir begun 2>/dev/null; then read line < gate; fi; " +
           "echo '{\"by\":\"'$MATRICULA_TASK_ID'\"}'";
  }
  [[nodiscard]] bool has_begun() const { return std::filesystem::exists(folder_ / "begun"); }
  /// Also before it has come to the gate: the line waits there for as long as the gate is held open.
  void let_go() {
    if (!has_begun() || gate_ >= 0) return;
    gate_ = ::open((folder_ / "gate").c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_EQ(::write(gate_, "\n", 1), 1);
  }
  json once(const std::string& state, const json& task) {
    json now;
    EXPECT_TRUE(eventually([&] { return (now = client_.look(task)).at("task_status") == state; })) << now;
    return now;
  }
  [[nodiscard]] std::filesystem::path log_of(const std::string& worker) const { return folder_ / (worker + ".log"); }

  int gate_ = -1;
  scratch_directory folder_;
  node_process node_{task_world({"example"})};
  task_client client_{started(node_)};
};

} // namespace

TEST_F(example_workers, do_tasks_and_end_when_they_are_told_to) {
  example_worker worker(node_, log_of("w"), "w", 30,
                        "case \"$(cat)\" in *wrong*) echo 'no such form' >&2; exit 65;; *later*) exit 75;; "
                        "*) echo '{\"sent\":true}';; esac");
  std::vector<json> good;
  for (int i = 0; i < 5; ++i) good.push_back(client_.enqueue("example", {{"form", i}}));
  const auto bad = client_.enqueue("example", {{"form", "wrong"}});
  const auto early = client_.enqueue("example", {{"form", "later"}});
  for (const auto& task : good) {
    const auto done = once("COMPLETED", task);
    EXPECT_EQ(done.at("result"), (json{{"sent", true}}));
    EXPECT_EQ(done.at("number_of_attempts"), 1);
    EXPECT_EQ(done.at("history").at(0).at("worker"), "w");
  }
  EXPECT_EQ(once("FAILED", bad).at("last_attempt_error_code"), "no such form");
  ASSERT_TRUE(eventually([&] { return !client_.look(early).at("history").empty(); }));
  EXPECT_EQ(client_.look(early).at("history").at(0).at("outcome"), "not_yet");
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.end(), 0) << worker.log();
  EXPECT_TRUE(worker.logged("stopped"));
  EXPECT_FALSE(worker.logged("form")) << "payloads are not for logs";
  EXPECT_EQ(client_.queue("example").at("running"), 0);
}

TEST_F(example_workers, finish_what_runs_when_they_are_told_to_end) {
  example_worker worker(node_, log_of("w"), "w", 30, waits_the_first_time());
  const auto task = client_.enqueue("example");
  ASSERT_TRUE(eventually([&] { return has_begun(); })) << worker.log();
  worker.signal(SIGTERM);
  let_go();
  EXPECT_EQ(worker.end(), 0) << worker.log();
  EXPECT_EQ(client_.look(task).at("task_status"), "COMPLETED");
}

TEST_F(example_workers, give_back_what_runs_when_they_are_told_twice) {
  example_worker worker(node_, log_of("w"), "w", 30, waits_the_first_time());
  const auto task = client_.enqueue("example");
  ASSERT_TRUE(eventually([&] { return has_begun(); })) << worker.log();
  worker.signal(SIGTERM);
  // Two that come before the first was looked at are one.
  ASSERT_TRUE(eventually([&] { return worker.logged("what runs is finished first"); })) << worker.log();
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.end(), 0) << worker.log();
  const auto back = client_.look(task);
  EXPECT_EQ(back.at("number_of_attempts"), 0);
  EXPECT_EQ(back.at("history").at(0).at("outcome"), "not_yet");
}

TEST_F(example_workers, that_are_killed_in_the_middle_are_followed_by_another_one) {
  const auto program = waits_the_first_time();
  example_worker first(node_, log_of("first"), "first", 2, program);
  const auto task = client_.enqueue("example");
  ASSERT_TRUE(eventually([&] { return has_begun(); })) << first.log();
  first.signal(SIGKILL);
  EXPECT_EQ(first.end(), 128 + SIGKILL);
  example_worker second(node_, log_of("second"), "second", 30, program);
  const auto done = once("COMPLETED", task);
  EXPECT_EQ(done.at("number_of_attempts"), 2);
  EXPECT_EQ(done.at("history").at(0).at("outcome"), "lost");
  EXPECT_EQ(done.at("history").at(0).at("worker"), "first");
  EXPECT_EQ(done.at("history").at(1).at("worker"), "second");
  EXPECT_EQ(done.at("result"), (json{{"by", std::to_string(task_client::id_of(task))}}));
}

TEST_F(example_workers, that_freeze_past_their_lease_complete_nothing_and_go_on) {
  const auto program = waits_the_first_time();
  example_worker frozen(node_, log_of("frozen"), "frozen", 2, program);
  const auto task = client_.enqueue("example");
  ASSERT_TRUE(eventually([&] { return has_begun(); })) << frozen.log();
  frozen.signal(SIGSTOP);
  {
    example_worker lively(node_, log_of("lively"), "lively", 30, program);
    (void)once("COMPLETED", task);
    lively.signal(SIGTERM);
    EXPECT_EQ(lively.end(), 0) << lively.log();
  }
  const auto done = client_.look(task);
  EXPECT_EQ(done.at("history").at(1).at("worker"), "lively");
  let_go();
  frozen.signal(SIGCONT);
  ASSERT_TRUE(eventually([&] { return frozen.logged("lease lost"); })) << frozen.log();
  EXPECT_EQ(client_.look(task), done) << "what the late one did is not counted";
  const auto next = once("COMPLETED", client_.enqueue("example"));
  EXPECT_EQ(next.at("history").at(0).at("worker"), "frozen");
}

TEST_F(example_workers, wait_for_a_node_that_is_away) {
  example_worker worker(node_, log_of("w"), "w", 30, "cat");
  ASSERT_TRUE(eventually([&] { return worker.logged("asks for tasks"); }));
  node_.kill();
  ASSERT_TRUE(eventually([&] { return worker.logged("no tasks"); })) << worker.log();
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.end(), 0) << worker.log();
}

TEST_F(example_workers, end_where_they_are_refused) {
  example_worker worker(node_, log_of("w"), "w", 30, "cat", "no_such_type");
  EXPECT_EQ(worker.end(), 1);
  EXPECT_TRUE(worker.logged("The node refuses this worker: 404 not_found")) << worker.log();
}

} // namespace matricula::test
