/// A plain HTTP/1.1 client on one kept-alive connection, for tests: it never repeats a request by itself, says when an
/// answer did not come, and can send bytes that no well-behaved client would.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace matricula::test {

using http_headers = std::vector<std::pair<std::string, std::string>>;

struct http_answer {
  int status = 0;
  http_headers headers;
  std::string body;

  /// The value of the first header of that name, any case; empty when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

struct http_request {
  std::string method = "GET";
  std::string target;
  std::string body = {};
  http_headers headers = {};
  /// Sent with every body; empty: none.
  std::string content_type = "application/json";
};

class http_client {
public:
  /// Connects at the first request. @param token sent as a bearer token unless empty.
  explicit http_client(std::uint16_t port, std::string token = {});
  ~http_client();
  http_client(http_client&& other) noexcept;
  http_client& operator=(http_client&& other) noexcept;

  /// How long one answer may take.
  void set_timeout(std::chrono::milliseconds t) noexcept { timeout_ = t; }
  void set_token(std::string token) { token_ = std::move(token); }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

  /// Nothing when the connection broke or the time was over before the whole answer: whether the request had an effect
  /// is then unknown. The next call connects again.
  [[nodiscard]] std::optional<http_answer> send(const http_request& what);

  /// The parts of `send`, for hostile bytes.
  [[nodiscard]] std::string text_of(const http_request& what) const;
  [[nodiscard]] bool write(std::string_view bytes);
  [[nodiscard]] std::optional<http_answer> read_answer(bool without_body = false);
  /// No more bytes will come from here; the server's answer can still be read.
  void finish_writing() noexcept;
  void close() noexcept;

private:
  bool connect();
  bool receive(std::chrono::steady_clock::time_point deadline);

  std::uint16_t port_;
  std::string token_;
  std::chrono::milliseconds timeout_{30'000};
  int socket_ = -1;
  std::string in_;
};

} // namespace matricula::test
