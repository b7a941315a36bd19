#include "connectors/http_text.hpp"

#include "foundation/thread.hpp"

#include <fmt/format.h>
#include <httplib.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace matricula::connectors {

namespace {
constexpr std::chrono::milliseconds step_max{2000}; ///< one connect, read or write
constexpr std::chrono::milliseconds stop_again_after{20};

std::unique_ptr<httplib::ClientImpl> make_client(const http_location& from) {
  if (!from.tls) return std::make_unique<httplib::ClientImpl>(from.host, from.port);
  auto client = std::make_unique<httplib::SSLClient>(from.host, from.port);
  client->enable_server_certificate_verification(true);
  if (!from.ca_file.empty()) client->set_ca_cert_path(from.ca_file);
  if (auto* context = client->ssl_context()) SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  return client;
}
} // namespace

/// What the thread of `run`, its watch and `stop` share.
struct http_text::call {
  std::mutex guard;
  std::condition_variable changed;
  bool stopped = false;
  bool done = false;

  [[nodiscard]] bool is_stopped() {
    const std::scoped_lock hold(guard);
    return stopped;
  }
  void set(bool& what) {
    const std::scoped_lock hold(guard);
    what = true;
    changed.notify_all();
  }
  /// httplib bounds each read, not all of them together: a server that sends a byte a second would never end.
  void watch(httplib::ClientImpl& client, std::chrono::steady_clock::time_point deadline) {
    name_this_thread("http-watch");
    std::unique_lock hold(guard);
    changed.wait_until(hold, deadline, [this] { return done || stopped; });
    stopped = true;
    while (!done) {
      hold.unlock();
      client.stop();
      hold.lock();
      // Once may be too early: before the socket was there.
      changed.wait_for(hold, stop_again_after, [this] { return done; });
    }
  }
};

http_text::http_text(const http_location& from, std::size_t bytes_max)
    : from_(from), bytes_max_(bytes_max), call_(std::make_unique<call>()) {}
http_text::~http_text() = default;

void http_text::stop() noexcept { call_->set(call_->stopped); }

result<std::string> http_text::run(std::chrono::milliseconds at_most) {
  const auto where = fmt::format("{}:{}", from_.host, from_.port);
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  const auto client = make_client(from_);
  const auto step = std::min(step_max, at_most);
  client->set_connection_timeout(step);
  client->set_read_timeout(step);
  client->set_write_timeout(step);
  client->set_follow_location(false);
  client->set_decompress(false);
  client->set_keep_alive(false);
  if (!from_.user.empty()) client->set_basic_auth(from_.user, from_.password);
  std::thread watch([this, &client, deadline] { call_->watch(*client, deadline); });
  std::string text;
  int status = 0;
  bool too_large = false;
  const auto answer = client->Get(
      from_.target, {{"Accept", "application/json"}, {"Accept-Encoding", "identity"}},
      [&status](const httplib::Response& head) {
        status = head.status;
        return status == 200;
      },
      [&](const char* data, std::size_t size) {
        too_large = text.size() + size > bytes_max_;
        if (too_large || call_->is_stopped()) return false;
        text.append(data, size);
        return true;
      });
  const bool cut = call_->is_stopped();
  call_->set(call_->done);
  watch.join();
  ERR_clear_error();
  if (too_large) return fail(errc::invalid_argument, fmt::format("The answer of {} is too large.", where));
  if (status != 0 && status != 200)
    return fail(errc::unavailable,
                fmt::format("{} answered {}; only 200 is accepted, and no redirect.", where, status));
  if (cut) return fail(errc::unavailable, fmt::format("The answer of {} did not come in time.", where));
  if (!answer)
    return fail(errc::unavailable,
                fmt::format("The answer of {} could not be had: {}.", where, httplib::to_string(answer.error())));
  return text;
}

} // namespace matricula::connectors
