#include "api/jwks_fetch.hpp"

#include "api/jwks.hpp"
#include "foundation/thread.hpp"

#include <httplib.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

namespace matricula::api {

namespace {
constexpr std::chrono::milliseconds step_max{2000}; ///< one connect, read or write
constexpr std::chrono::milliseconds stop_again_after{20};

result<std::string> read_file(const std::filesystem::path& file) {
  const auto failed = [&file](errc code, std::string_view why) {
    return fail(code, "The key set " + file.string() + " " + std::string(why) + ".");
  };
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(file, unknown)) return failed(errc::io, "is not there or is no file");
  std::ifstream in(file, std::ios::binary);
  if (!in) return failed(errc::io, "cannot be opened");
  std::string text(key_set::text_bytes_max + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return failed(errc::io, "cannot be read");
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > key_set::text_bytes_max) return failed(errc::invalid_argument, "is too large");
  return text;
}

std::unique_ptr<httplib::ClientImpl> make_client(const jwks_location& from) {
  if (!from.tls) return std::make_unique<httplib::ClientImpl>(from.host, from.port);
  auto client = std::make_unique<httplib::SSLClient>(from.host, from.port);
  client->enable_server_certificate_verification(true);
  if (!from.ca_file.empty()) client->set_ca_cert_path(from.ca_file);
  if (auto* context = client->ssl_context()) SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  return client;
}
} // namespace

/// What the thread of `run`, its watch and `stop` share.
struct jwks_fetch::call {
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
    name_this_thread("jwks-watch");
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

jwks_fetch::jwks_fetch(const jwks_location& from) : from_(from), call_(std::make_unique<call>()) {}
jwks_fetch::~jwks_fetch() = default;

void jwks_fetch::stop() noexcept { call_->set(call_->stopped); }

result<std::string> jwks_fetch::run(std::chrono::milliseconds at_most) {
  if (from_.host.empty()) return read_file(from_.file);
  const auto where = from_.host + ":" + std::to_string(from_.port);
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  const auto client = make_client(from_);
  const auto step = std::min(step_max, at_most);
  client->set_connection_timeout(step);
  client->set_read_timeout(step);
  client->set_write_timeout(step);
  client->set_follow_location(false);
  client->set_decompress(false);
  client->set_keep_alive(false);
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
        too_large = text.size() + size > key_set::text_bytes_max;
        if (too_large || call_->is_stopped()) return false;
        text.append(data, size);
        return true;
      });
  const bool cut = call_->is_stopped();
  call_->set(call_->done);
  watch.join();
  ERR_clear_error();
  if (too_large) return fail(errc::invalid_argument, "The key set of " + where + " is too large.");
  if (status != 0 && status != 200)
    return fail(errc::unavailable, where + " answered " + std::to_string(status) +
                                       " when asked for the key set; only 200 is accepted, and no redirect.");
  if (cut) return fail(errc::unavailable, "The key set of " + where + " did not come in time.");
  if (!answer)
    return fail(errc::unavailable,
                "The key set of " + where + " could not be had: " + httplib::to_string(answer.error()) + ".");
  return text;
}

} // namespace matricula::api
