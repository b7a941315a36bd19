/// Many clients that write at once until the node is gone, and tell the ledger what they were told.
#pragma once
#include "test/crash/ledger.hpp"
#include "test/support/node_process.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace matricula::test {

struct writer_options {
  unsigned threads = 16;
  std::uint64_t seed = 1;
  /// Only issues of one uin each, as many as this together; 0: a mix of everything, without end.
  std::size_t issues = 0;
};

class writers {
public:
  /// Starts them. The node must be ready.
  writers(const node_process& node, ledger& into, const writer_options& options);
  /// Waits until each has ended: at its end, or when the node is gone.
  void join();
  ~writers() { join(); }
  writers(const writers&) = delete;
  writers& operator=(const writers&) = delete;

  /// Refusals by code, and statuses that are none: everything that was answered and is no success.
  [[nodiscard]] std::map<std::string, std::size_t> refused() const;
  /// Requests without an answer.
  [[nodiscard]] std::size_t unanswered() const noexcept { return unanswered_; }
  /// Makes them end after their present request.
  void ask_to_stop() noexcept { stopping_ = true; }

private:
  void mix(http_client http, std::uint64_t seed);
  void only_issues(http_client http);
  /// Nothing when the node is gone.
  std::optional<http_answer> ask(http_client& http, const http_request& what);

  ledger& ledger_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::size_t> left_;
  std::atomic<std::size_t> unanswered_{0};
  mutable std::mutex guard_;
  std::map<std::string, std::size_t> refused_;
  std::vector<std::thread> threads_;
};

} // namespace matricula::test
