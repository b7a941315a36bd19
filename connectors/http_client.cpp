#include "connectors/http_client.hpp"

#include "connectors/http_connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

namespace matricula::connectors {

namespace {
/// Whether it can stand in a header or a request's line and begin nothing else there.
bool is_one_line(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= ' ' && c != 0x7f); });
}
bool is_one_word(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}
} // namespace

struct http_client::inside {
  struct idle {
    std::unique_ptr<http_connection> connection;
    std::chrono::steady_clock::time_point since;
  };

  http_client_options options;
  tls_context tls{nullptr, SSL_CTX_free};
  std::string where;
  stop_signal stop;
  std::mutex guard;
  std::vector<idle> waiting; ///< the one used last is at the end

  /// A connection that waits, or nothing.
  std::unique_ptr<http_connection> take_idle() {
    for (;;) {
      std::vector<idle> too_old; // closed without the lock
      std::unique_ptr<http_connection> found;
      {
        const std::scoped_lock hold(guard);
        const auto oldest = std::chrono::steady_clock::now() - options.idle_at_most;
        const auto fresh = std::ranges::find_if(waiting, [&](const idle& one) { return one.since > oldest; });
        std::move(waiting.begin(), fresh, std::back_inserter(too_old));
        waiting.erase(waiting.begin(), fresh);
        if (waiting.empty()) return nullptr;
        found = std::move(waiting.back().connection);
        waiting.pop_back();
      }
      if (found->may_be_used_again()) return found;
    }
  }

  void put_back(std::unique_ptr<http_connection> connection) {
    if (!connection->may_be_used_again()) return;
    const std::scoped_lock hold(guard);
    if (waiting.size() < options.idle_connections_max)
      waiting.push_back({std::move(connection), std::chrono::steady_clock::now()});
  }
};

result<std::unique_ptr<http_client>> http_client::make(http_client_options options) {
  auto in = std::make_unique<inside>();
  in->options = std::move(options);
  const auto& at = in->options.at;
  in->where = fmt::format("{}:{}", at.host, at.port);
  if (at.tls) {
    auto tls = make_tls_context(at.ca_file);
    if (!tls) return std::unexpected(tls.error());
    in->tls = std::move(*tls);
  }
  return std::unique_ptr<http_client>(new http_client(std::move(in)));
}

http_client::http_client(std::unique_ptr<inside> in) : in_(std::move(in)) {}
http_client::~http_client() = default;

http_reply http_client::call(const http_request& what, deadline until) {
  http_reply none;
  bool sound = is_one_word(what.method) && is_one_word(what.target) && what.target.starts_with('/');
  for (const auto& [name, value] : what.headers) sound = sound && is_one_word(name) && is_one_line(value);
  if (!sound) {
    none.error = fmt::format("The request to {} was not sent: a header or its target would break it.", in_->where);
    return none;
  }
  for (;;) {
    if (in_->stop.raised()) {
      none.error = fmt::format("The request to {} was not sent: the node is stopping.", in_->where);
      return none;
    }
    auto connection = in_->take_idle();
    const bool used_before = connection != nullptr;
    if (!connection) connection = std::make_unique<http_connection>(in_->options, in_->tls.get(), in_->stop);
    auto reply = connection->run(what, until);
    // Each turn uses up a connection that waited.
    if (reply.how == transfer::not_sent && used_before) continue;
    if (reply.how == transfer::answered) in_->put_back(std::move(connection));
    return reply;
  }
}

void http_client::stop() noexcept { in_->stop.raise(); }

const std::string& http_client::where() const noexcept { return in_->where; }

} // namespace matricula::connectors
