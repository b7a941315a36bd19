/// Asks a node the same thing over and over, on many kept-alive connections at once, and measures every answer.
/// One thread and epoll, so that the generator takes as little as possible of the processors that it shares with the
/// node. A closed loop: each connection sends its next request when it has the answer to the last.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::bench {

/// What one run of a load saw.
struct load_result {
  std::uint64_t accepted = 0;              ///< answers 2xx
  std::uint64_t refused = 0;               ///< all other answers
  std::uint64_t broken = 0;                ///< requests without an answer
  double seconds = 0;                      ///< from the first request to the last answer
  std::vector<std::uint32_t> microseconds; ///< from request to whole answer, of each accepted one

  [[nodiscard]] double rate() const noexcept { return seconds > 0 ? static_cast<double>(accepted) / seconds : 0; }
  /// The quantile `q` in (0, 1] of `microseconds`, in milliseconds; sorts them.
  [[nodiscard]] double quantile_ms(double q);
  void add(const load_result& other);
};

class load_generator {
public:
  /// Connects. Throws std::runtime_error.
  load_generator(std::uint16_t port, std::size_t connections);
  ~load_generator();
  load_generator(const load_generator&) = delete;
  load_generator& operator=(const load_generator&) = delete;

  /// Sends `request`, the bytes of a whole request, for `duration`, then waits for the answers under way.
  /// Throws std::runtime_error when the node cannot be reached any more.
  [[nodiscard]] load_result run(const std::string& request, std::chrono::milliseconds duration);
  /// The same, until `accepted` answers are there. Throws std::runtime_error also when the node refuses for good: with
  /// 4xx other than 429, which it would do again.
  [[nodiscard]] load_result run_until(const std::string& request, std::uint64_t accepted);
  /// Sends each of `requests` until it is accepted, as many at once as there are connections. Throws as `run_until`.
  [[nodiscard]] load_result run_all(std::span<const std::string> requests);

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

/// The bytes of a POST. @param body empty or JSON.
[[nodiscard]] std::string post_text(std::string_view target, std::string_view token, std::string_view body = {});

} // namespace matricula::bench
