// That "acknowledged" means synced, and what happens when a sync fails or the disk is full.
#include "test/crash/ledger.hpp"
#include "test/crash/writers.hpp"
#include "test/support/node_process.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <regex>
#include <sched.h>
#include <sstream>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

namespace matricula::test {

using nlohmann::json;

namespace {
std::string lines(const std::vector<std::string>& all) {
  std::string text;
  for (std::size_t i = 0; i < all.size() && i < 20; ++i) text += all[i] + "\n";
  return text + std::to_string(all.size()) + " in all";
}

std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

/// The value of a metric without labels, now.
std::size_t metric(const node_process& node, const std::string& name) {
  auto http = node.client();
  const auto answer = http.send({.target = "/metrics"});
  std::smatch found;
  const std::regex line("(^|\n)" + name + " ([0-9]+)");
  if (!answer || !std::regex_search(answer->body, found, line)) throw std::runtime_error("no metric " + name);
  return std::stoul(found[2]);
}

/// Counts the syncs of a running process with strace, which watches it from outside: what it counts reached the kernel.
class sync_count {
public:
  explicit sync_count(pid_t of) {
    const auto out = (scratch_ / "summary").string();
    const auto err = (scratch_ / "messages").string();
    const auto pid = std::to_string(of);
    tracer_ = ::fork();
    if (tracer_ == 0) {
      const int fd = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      if (fd < 0) ::_exit(127);
      ::dup2(fd, 2);
      ::execlp("strace", "strace", "-f", "-c", "-e", "trace=fdatasync,fsync,sync_file_range", "-o", out.c_str(), "-p",
               pid.c_str(), nullptr);
      ::_exit(127);
    }
    attached_ = eventually([&] { return text_of(err).find(" attached") != std::string::npos; });
  }
  ~sync_count() { end(); }
  sync_count(const sync_count&) = delete;
  sync_count& operator=(const sync_count&) = delete;

  [[nodiscard]] bool attached() const noexcept { return attached_; }
  [[nodiscard]] std::string messages() const { return text_of(scratch_ / "messages"); }

  /// Lets the process go on alone. The calls of fdatasync and fsync.
  std::size_t end() {
    if (tracer_ > 0) {
      ::kill(tracer_, SIGINT);
      int status = 0;
      while (::waitpid(tracer_, &status, 0) < 0 && errno == EINTR) {
      }
      tracer_ = -1;
    }
    std::size_t calls = 0;
    std::istringstream summary(text_of(scratch_ / "summary"));
    const std::regex row(R"(^\s*[0-9.]+\s+[0-9.]+\s+[0-9]+\s+([0-9]+)\s.*(fdatasync|fsync)$)");
    for (std::string line; std::getline(summary, line);)
      if (std::smatch found; std::regex_match(line, found, row)) calls += std::stoul(found[1]);
    return calls;
  }

private:
  scratch_directory scratch_;
  pid_t tracer_ = -1;
  bool attached_ = false;
};

/// A folder of faults, and the options of a node that obeys it.
class sync_faults {
public:
  [[nodiscard]] node_options options() const {
    return {
        .sets = small_pools(),
        .environment = {"LD_PRELOAD=" MATRICULA_SYNC_FAULTS, "MATRICULA_TEST_SYNC_FAULTS=" + folder_.path().string()}};
  }
  void set(const char* fault) const { std::ofstream(folder_ / fault) << "x"; }
  void clear(const char* fault) const { std::filesystem::remove(folder_ / fault); }

private:
  scratch_directory folder_;
};
} // namespace

TEST(acknowledged_write, was_synced_each_when_they_come_one_by_one) {
  constexpr std::size_t writes = 300;
  node_process node({.sets = small_pools()});
  node.start();
  auto http = node.client();
  sync_count syncs(node.pid());
  ASSERT_TRUE(syncs.attached()) << syncs.messages();
  for (std::size_t i = 0; i < writes; ++i) {
    const auto answer = http.send({.method = "POST", .target = "/v1/ids/uin"});
    ASSERT_TRUE(answer && answer->status == 201) << (answer ? answer->body : "no answer");
  }
  const auto calls = syncs.end();
  EXPECT_GE(calls, writes);
  std::cout << calls << " syncs for " << writes << " writes, one by one\n";
}

TEST(acknowledged_writes, share_a_sync_and_no_group_goes_without) {
  node_process node({.sets = small_pools()});
  node.start();
  ledger told;
  const auto groups_written = [&] { return metric(node, "matricula_storage_sync_seconds_count"); };
  sync_count syncs(node.pid());
  ASSERT_TRUE(syncs.attached()) << syncs.messages();
  // Refills write groups too: count from a quiet moment on, and only while the tracer looks on.
  auto groups_before = groups_written();
  ASSERT_TRUE(eventually([&] {
    const auto earlier = std::exchange(groups_before, groups_written());
    return groups_before == earlier;
  }));
  writers clients(node, told, {.threads = 64, .issues = 5'000});
  clients.join();
  const auto groups = groups_written() - groups_before;
  const auto calls = syncs.end();
  EXPECT_EQ(told.identifiers(), 5'000U);
  EXPECT_GE(calls, groups) << "a group was acknowledged without a sync";
  EXPECT_LT(groups, told.writes()) << "no two writes shared a sync";
  std::cout << calls << " syncs for " << groups << " groups of " << told.writes() << " writes by 64 clients\n";
}

TEST(write_of_any_kind, is_not_acknowledged_while_syncs_hang) {
  const sync_faults faults;
  node_process node(faults.options());
  node.start();
  auto http = node.client();
  std::vector<std::string> uins, vids;
  const auto issue = [&](const std::string& type, std::vector<std::string>& into) {
    const auto answer = http.send({.method = "POST", .target = "/v1/ids/" + type, .body = R"({"count":3})"});
    ASSERT_TRUE(answer && answer->status == 201) << (answer ? answer->body : "no answer");
    into = json::parse(answer->body).at("ids").get<std::vector<std::string>>();
  };
  issue("uin", uins);
  issue("vid", vids);
  faults.set("hold");
  const http_headers soon = {{"X-Request-Timeout-Ms", "250"}};
  const http_headers keyed = {{"X-Request-Timeout-Ms", "250"}, {"Idempotency-Key", "k"}};
  const std::vector<http_request> writes = {
      {.method = "POST", .target = "/v1/ids/uin", .headers = soon},
      {.method = "POST", .target = "/v1/ids/farmer", .headers = soon},
      {.method = "POST", .target = "/v1/ids/vid", .body = R"({"count":500,"expires_in_days":3})", .headers = soon},
      {.method = "POST", .target = "/v1/ids/uin", .headers = keyed},
      {.method = "POST", .target = "/v1/ids/uin/" + uins[0] + "/confirm", .headers = soon},
      {.method = "POST", .target = "/v1/ids/uin/" + uins[1] + "/return", .headers = soon},
      {.method = "POST", .target = "/v1/ids/vid/" + vids[0] + "/revoke", .headers = soon},
      // Asking for what is already so, but not yet durable, is no shortcut.
      {.method = "POST", .target = "/v1/ids/uin/" + uins[0] + "/confirm", .headers = soon},
  };
  for (const auto& write : writes) {
    const auto answer = http.send(write);
    ASSERT_TRUE(answer) << write.target;
    EXPECT_EQ(answer->status, 503) << write.target << " " << answer->body;
    EXPECT_NE(answer->body.find("outcome_unknown"), std::string::npos) << answer->body;
  }
  // And nobody sees it before it is durable.
  const auto seen = http.send({.target = "/v1/ids/uin/" + uins[0]});
  ASSERT_TRUE(seen);
  EXPECT_EQ(json::parse(seen->body).at("state"), "ISSUED");
  faults.clear("hold");
  EXPECT_TRUE(eventually([&] {
    const auto now = http.send({.target = "/v1/ids/uin/" + uins[0]});
    return now && json::parse(now->body).at("state") == "ASSIGNED";
  }));
}

TEST(failed_sync, ends_the_process_and_every_acknowledged_write_is_there_after_it) {
  const sync_faults faults;
  node_process node(faults.options());
  ledger told;
  node.start();
  {
    writers clients(node, told, {.threads = 32});
    ASSERT_TRUE(eventually([&] { return told.writes() >= 1'000; }, std::chrono::seconds(60)));
    faults.set("fail");
    EXPECT_EQ(node.wait_for_end(std::chrono::seconds(30)), 70) << node.log_tail();
    clients.join();
    const auto refused = clients.refused();
    EXPECT_TRUE(refused.contains("outcome_unknown")) << json(refused);
    for (const auto& [code, count] : refused)
      EXPECT_TRUE(code == "outcome_unknown" || code == "unavailable" || code == "refilling" || code == "overloaded")
          << code << " " << count << " times";
  }
  EXPECT_TRUE(node.logged("node.fatal")) << node.log_tail();
  faults.clear("fail");
  node.start();
  const auto lies = told.check(node.port(), node.token(), 4, 0);
  EXPECT_TRUE(lies.empty()) << lines(lies);
  std::cout << told.writes() << " acknowledged writes before the failed sync\n";
}

TEST(ledger, finds_what_a_node_has_forgotten) {
  // The node goes on from an older copy of its data: what a lying disk would leave.
  node_process node({.sets = small_pools()});
  ledger told;
  const auto write_some = [&](std::size_t more) {
    node.start();
    writers clients(node, told, {.threads = 4, .seed = more});
    ASSERT_TRUE(eventually([&, target = told.writes() + more] { return told.writes() >= target; }));
    clients.ask_to_stop();
    clients.join();
    node.kill();
  };
  write_some(100);
  const auto older = node.scratch() / "older";
  std::filesystem::copy(node.data(), older, std::filesystem::copy_options::recursive);
  write_some(101);
  std::filesystem::remove_all(node.data());
  std::filesystem::rename(older, node.data());
  node.start();
  EXPECT_GE(told.check(node.port(), node.token(), 4, 0).size(), 50U);
}

namespace {
/// A small file system that only this process and its children see, and that goes with them.
class small_disk {
public:
  explicit small_disk(unsigned mebibytes) {
    static const bool own_namespace =
        ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    const auto size = "size=" + std::to_string(mebibytes) + "m";
    mounted_ = own_namespace && ::mount("tmpfs", scratch_.path().c_str(), "tmpfs", 0, size.c_str()) == 0;
  }
  ~small_disk() {
    if (mounted_) ::umount2(scratch_.path().c_str(), MNT_DETACH);
  }
  small_disk(const small_disk&) = delete;
  small_disk& operator=(const small_disk&) = delete;

  [[nodiscard]] bool mounted() const noexcept { return mounted_; }
  [[nodiscard]] std::filesystem::path data() const { return scratch_ / "data"; }
  [[nodiscard]] std::size_t free_bytes() const {
    struct statvfs s{};
    if (::statvfs(scratch_.path().c_str(), &s) != 0) return 0;
    return static_cast<std::size_t>(s.f_bavail) * s.f_frsize;
  }
  /// Takes up all but `left` bytes.
  void fill(std::size_t left) const {
    const int fd = ::open((scratch_ / "filler").c_str(), O_WRONLY | O_CREAT, 0600);
    if (fd < 0) throw std::runtime_error("the disk cannot be filled");
    const auto now = free_bytes();
    const auto size = ::lseek(fd, 0, SEEK_END);
    if (now > left) (void)::posix_fallocate(fd, size, static_cast<off_t>(now - left));
    ::close(fd);
  }
  void free_again() const { std::filesystem::remove(scratch_ / "filler"); }

private:
  scratch_directory scratch_;
  bool mounted_ = false;
};

constexpr std::size_t mib = std::size_t{1} << 20;
} // namespace

TEST(full_disk, refuses_writes_goes_on_reading_and_recovers_thanks_to_the_ballast) {
  small_disk disk(128);
  if (!disk.mounted()) GTEST_SKIP() << "only root may mount a small file system";
  node_options options{.sets = small_pools(), .data = disk.data()};
  for (const auto* set : {"storage.disk_free_mib_min=16", "storage.ballast_mib=16", "storage.write_buffer_mib=4",
                          "storage.wal_mib_max=4", "storage.block_cache_mib=4"})
    options.sets.emplace_back(set);
  node_process node(options);
  ledger told;
  node.start();
  auto http = node.client();
  const auto issue = [&] { return http.send({.method = "POST", .target = "/v1/ids/uin"}).value_or(http_answer{}); };
  const auto issues_again = [&] {
    return eventually([&] {
      const auto answer = issue();
      if (answer.status == 201) told.issued("uin", answer.body, "", "");
      return answer.status == 201;
    });
  };
  const auto is_refused = [&] {
    return eventually([&] {
      const auto answer = issue();
      if (answer.status == 201) told.issued("uin", answer.body, "", "");
      return answer.status == 503 && answer.body.find("storage_full") != std::string::npos &&
             !answer.header("Retry-After").empty();
    });
  };
  const auto everything_is_read = [&] {
    const auto lies = told.check(node.port(), node.token(), 2, 1'000'000);
    EXPECT_TRUE(lies.empty()) << lines(lies);
  };
  ASSERT_TRUE(issues_again());
  // Whole, not only there: a ballast that is cut short by the filling below would give its room back.
  ASSERT_TRUE(eventually([&] {
    std::error_code not_yet;
    return std::filesystem::file_size(disk.data() / "BALLAST", not_yet) == 16 * mib && !not_yet;
  })) << node.log_tail();

  disk.fill(10 * mib);
  ASSERT_TRUE(is_refused()) << node.log_tail();
  everything_is_read();
  EXPECT_EQ(http.send({.target = "/readyz"}).value_or(http_answer{}).status, 503);
  EXPECT_EQ(http.send({.target = "/healthz"}).value_or(http_answer{}).status, 200);
  disk.free_again();
  ASSERT_TRUE(issues_again()) << node.log_tail();

  // Not a byte left, and then a crash: the start has only what the ballast gives.
  disk.fill(0);
  ASSERT_TRUE(is_refused()) << node.log_tail();
  node.kill();
  disk.fill(0);
  ASSERT_LT(disk.free_bytes(), mib);
  ASSERT_TRUE(node.launch()) << node.log_tail();
  http = node.client();
  everything_is_read();
  ASSERT_TRUE(is_refused()) << node.log_tail();
  EXPECT_TRUE(node.logged("store.ballast_freed")) << node.log_tail();
  disk.free_again();
  ASSERT_TRUE(issues_again()) << node.log_tail();
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(disk.data() / "BALLAST"); })) << "taken on again";
  everything_is_read();
  EXPECT_EQ(node.stop(), 0) << node.log_tail();
}

} // namespace matricula::test
