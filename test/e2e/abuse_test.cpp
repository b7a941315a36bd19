// Everything that hostile and broken clients do, all at once and for a while: good clients must hardly notice, and the
// node must not grow.
#include "test/e2e/node_fixture.hpp"
#include "test/support/certificate.hpp"
#include "test/support/peer_socket.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace matricula::test {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr std::size_t good_clients = 4;
constexpr std::size_t idle_clients = 5'000;
constexpr std::size_t slow_heads = 500;
constexpr std::size_t slow_bodies = 400; // 24 MB of the 32 that the node keeps for bodies: others have some, too
constexpr std::size_t attackers = 2;
constexpr milliseconds between_rounds{200};
/// Of each attacker in `abused_for`; as many as there is time for are 40.
constexpr std::size_t rounds_least = 10;
constexpr milliseconds undisturbed_for{2'000};
constexpr milliseconds abused_for{8'000};
constexpr std::uint64_t resident_bytes_max = std::uint64_t{300} << 20;

/// Of this process, and of the nodes that it starts.
std::size_t raise_descriptor_limit() {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return files.rlim_max;
}

std::uint64_t resident_bytes(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// What good clients see: each asks for one identifier after the other.
struct seen {
  double rate = 0;
  double p99_ms = 0;
  std::size_t refused = 0;
};

class good_load {
public:
  good_load(const node_process& node, peer_socket::speaks what) : node_(node), what_(what) {}

  seen run(milliseconds how_long) {
    const auto until = steady_clock::now() + how_long;
    std::vector<std::vector<double>> times(good_clients);
    std::atomic<std::size_t> refused{0};
    std::vector<std::thread> clients;
    for (auto& of_one : times)
      clients.emplace_back([this, &of_one, &refused, until] { ask_until(until, of_one, refused); });
    for (auto& client : clients) client.join();
    std::vector<double> all;
    for (const auto& of_one : times) all.insert(all.end(), of_one.begin(), of_one.end());
    std::ranges::sort(all);
    seen now;
    now.rate = static_cast<double>(all.size()) / std::chrono::duration<double>(how_long).count();
    now.p99_ms = all.empty() ? 1e9 : all[all.size() * 99 / 100];
    now.refused = refused;
    return now;
  }

private:
  void ask_until(steady_clock::time_point until, std::vector<double>& times, std::atomic<std::size_t>& refused) const {
    const auto text = "POST /v1/ids/uin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + node_.token() +
                      "\r\nContent-Length: 0\r\n\r\n";
    peer_socket client(node_.port(), what_);
    while (steady_clock::now() < until) {
      const auto asked = steady_clock::now();
      const bool sent = client.connected() && client.write(text);
      if (!sent || status_of_answer(client.answer()) != 201) {
        ++refused;
        return;
      }
      times.push_back(std::chrono::duration<double, std::milli>(steady_clock::now() - asked).count());
    }
  }

  const node_process& node_;
  peer_socket::speaks what_;
};

/// Those who mean ill, or do not know better.
class abusers {
public:
  abusers(const node_process& node, peer_socket::speaks what)
      : port_(node.port()), what_(what), authorised_(post("/v1/ids/uin", node)),
        for_large_bodies_(post("/v1/ids/uin/import", node)) {}

  /// Takes every connection that then stays open. @param idle how many say nothing at all.
  void settle_in(std::size_t idle) {
    for (std::size_t i = 0; i < idle; ++i) {
      // Every tenth goes as far as it can without asking anything.
      silent_.emplace_back(port_, what_, i % 10 == 0);
      opened_ += silent_.back().connected() ? 1 : 0;
    }
    for (std::size_t i = 0; i < slow_heads; ++i) {
      slow_.emplace_back(port_, what_);
      opened_ += slow_.back().connected() && slow_.back().write("POST /v1/ids/uin HTTP/1.1\r\nX-Slow: ") ? 1 : 0;
    }
    for (std::size_t i = 0; i < slow_bodies; ++i) {
      silent_.emplace_back(port_, what_);
      const bool sent =
          silent_.back().connected() &&
          silent_.back().write(for_large_bodies_ + "Content-Length: 1000000\r\n\r\n" + std::string(60'000, ' '));
      opened_ += sent ? 1 : 0;
    }
  }
  [[nodiscard]] std::size_t opened() const noexcept { return opened_; }

  /// Attacks until then, a round every fifth of a second: at a rate of its own, and not with whatever processor time
  /// the node leaves over, which elsewhere would be the abusers' own.
  void attack_until(steady_clock::time_point until) {
    for (auto next = steady_clock::now(); next < until; next += between_rounds) {
      std::this_thread::sleep_until(next);
      once();
      ++rounds;
    }
  }

  /// How often each attack was answered by each status; 0: by none.
  std::map<std::string, std::map<int, int>> outcomes;
  std::map<std::string, int> expected;
  std::size_t rounds = 0;

private:
  /// One of each attack that is over soon, and a little of the slow ones.
  void once() {
    for (int i = 0; i < 20 && !slow_.empty(); ++i) (void)slow_[next_slow_++ % slow_.size()].write("x");
    expect(413, "an announced body of 100 MB",
           {authorised_ + "Content-Length: 104857600\r\n\r\n", std::string(500'000, 'x')});
    expect(413, "a body beyond the limit in chunks",
           {for_large_bodies_ + "Transfer-Encoding: chunked\r\n\r\n",
            "100000\r\n" + std::string(0x100000, ' ') + "\r\n", "100000\r\n" + std::string(100'000, ' ')});
    push_100_mb();
    expect(431, "a header of 1 MB", {"GET / HTTP/1.1\r\nX: " + std::string(1'000'000, 'x') + "\r\n\r\n"});
    expect_body("{\"holder\":\"\xC3\x28\"}");
    expect_body("{\"count\":" + std::string(7'000, '[') + std::string(7'000, ']') + "}");
    std::string garbage = "\x16\x03\x01";
    for (int i = 0; i < 2'000; ++i) garbage.push_back(static_cast<char>(i * 7 + 1));
    expect(400, "garbage", {garbage + "\r\n\r\n"});
  }

  static std::string post(const std::string& target, const node_process& node) {
    return "POST " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + node.token() +
           "\r\nContent-Type: application/json\r\n";
  }
  void expect_body(const std::string& body) {
    expect(400, body.substr(0, 12),
           {authorised_ + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body});
  }
  void expect(int status, const std::string& name, const std::vector<std::string>& pieces) {
    expected[name] = status;
    peer_socket client(port_, what_);
    if (!client.connected()) {
      ++outcomes[name][-1];
      return;
    }
    for (const auto& piece : pieces)
      if (!client.write(piece)) break; // refused already
    ++outcomes[name][status_of_answer(client.answer())];
  }

  /// Goes on sending whatever the answer; what it gets is that it can send no more.
  void push_100_mb() {
    peer_socket client(port_, what_);
    client.write(for_large_bodies_ + "Content-Length: 104857600\r\n\r\n");
    const std::string mb(1'000'000, 'x');
    int sent = 0;
    while (sent < 100 && client.write(mb)) ++sent;
    EXPECT_LT(sent, 100) << "the node took all of it";
  }

  std::uint16_t port_;
  peer_socket::speaks what_;
  std::string authorised_;
  std::string for_large_bodies_;
  std::deque<peer_socket> silent_, slow_;
  std::size_t next_slow_ = 0;
  std::size_t opened_ = 0;
};

class abuse : public testing::TestWithParam<peer_socket::speaks> {};
} // namespace

TEST_P(abuse, of_every_kind_at_once_leaves_good_clients_half_their_rate_and_memory_as_it_was) {
  const auto descriptors = raise_descriptor_limit();
  ASSERT_GT(descriptors, slow_heads + slow_bodies + 1'000) << "raise the limit of open files (ulimit -n)";
  const auto idle = std::min(idle_clients, descriptors - slow_heads - slow_bodies - 500);
  const bool tls = GetParam() == peer_socket::speaks::tls;
  const scratch_directory folder;
  auto options = small_world();
  options.sets.emplace_back("server.read_timeout_ms=60000"); // slow ones stay for the whole test
  if (tls) {
    const auto files = make_certificate(folder.path(), "node");
    options.sets.push_back("server.tls.certificate=" + files.certificate.string());
    options.sets.push_back("server.tls.key=" + files.key.string());
  }
  node_process node(options);
  ASSERT_TRUE(node.launch()) << node.log_tail();
  good_load good(node, GetParam());
  const auto ready = [&] {
    peer_socket client(node.port(), GetParam());
    client.write("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n");
    return status_of_answer(client.answer()) == 200;
  };
  ASSERT_TRUE(eventually(ready)) << node.log_tail();

  const auto before = good.run(undisturbed_for);
  std::deque<abusers> bad;
  for (std::size_t i = 0; i < attackers; ++i) bad.emplace_back(node, GetParam());
  bad.front().settle_in(idle);
  EXPECT_EQ(bad.front().opened(), idle + slow_heads + slow_bodies) << "connections that the node should have taken";
  std::vector<std::thread> attacks;
  const auto until = steady_clock::now() + abused_for;
  for (auto& one : bad) attacks.emplace_back([&one, until] { one.attack_until(until); });
  std::uint64_t most = 0;
  attacks.emplace_back([&most, &node, until] {
    for (auto next = steady_clock::now(); next < until; next += between_rounds) {
      std::this_thread::sleep_until(next);
      most = std::max(most, resident_bytes(node.pid()));
    }
  });
  const auto during = good.run(abused_for);
  for (auto& attack : attacks) attack.join();
  for (auto& one : bad) {
    EXPECT_GE(one.rounds, rounds_least) << "of one attacker";
    for (const auto& [name, statuses] : one.outcomes)
      for (const auto& [status, times] : statuses) {
        // An answer can be lost where the client goes on sending into a connection that has ended; and slow bodies may
        // have all the memory that there is for bodies.
        const bool lost = status == 0, no_room = status == 503;
        EXPECT_TRUE(lost || no_room || status == one.expected[name])
            << name << " was answered " << status << ", " << times << " times";
      }
    for (const auto& [name, status] : one.expected)
      EXPECT_GT(one.outcomes[name][status], 0) << name << ": never refused";
  }
  bad.clear(); // and all their connections
  const auto after = good.run(undisturbed_for);
  std::fprintf(stderr,
               "%s: %.0f/s before, %.0f/s afterwards, %.0f/s under abuse, p99 %.1f ms, %.0f MiB resident at most\n",
               tls ? "tls" : "plain", before.rate, after.rate, during.rate, during.p99_ms,
               static_cast<double>(most) / (1 << 20));

  EXPECT_EQ(before.refused + during.refused + after.refused, 0U) << "good requests that were not answered 201";
  // Both are measured, for the machine itself may become faster or slower meanwhile.
  EXPECT_GE(during.rate, (before.rate + after.rate) / 4);
  EXPECT_LT(during.p99_ms, 1'000);
  EXPECT_LT(most, resident_bytes_max);
  EXPECT_FALSE(node.logged("http.handler_threw")) << node.log_tail();
  EXPECT_FALSE(node.logged("http.failed")) << node.log_tail();
  EXPECT_TRUE(ready());
}

INSTANTIATE_TEST_SUITE_P(over, abuse, testing::Values(peer_socket::speaks::plain, peer_socket::speaks::tls),
                         [](const auto& about) {
                           return about.param == peer_socket::speaks::tls ? "tls" : "plain_http";
                         });

} // namespace matricula::test
