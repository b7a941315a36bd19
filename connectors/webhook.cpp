#include "connectors/webhook.hpp"

#include "connectors/http_client.hpp"
#include "connectors/retry_after.hpp"
#include "connectors/shown_text.hpp"
#include "foundation/digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <tuple>

namespace matricula::connectors {

namespace {

constexpr std::chrono::hours try_again_max{1};
constexpr std::size_t id_bytes_max = 128;
constexpr std::size_t error_bytes_max = 500;
constexpr std::size_t body_shown_max = 200;
constexpr std::size_t answer_bytes_max = 16 * 1024;
constexpr std::size_t clients_max = 64;

bool is_delivery_id(std::string_view id) {
  return !id.empty() && id.size() <= id_bytes_max &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < 0x7f; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

/// "HOST:PORT" as names are compared; IPv6 in brackets.
std::string origin_of(const http_location& at) {
  const auto host = lower(at.host);
  return fmt::format("{}:{}", host.find(':') == std::string::npos ? host : "[" + host + "]", at.port);
}

/// Whether an entry of the list names the place.
bool names(std::string_view entry, const http_location& at) {
  const auto colon = entry.rfind(':');
  const bool has_port = colon != std::string_view::npos && entry.find(']', colon) == std::string_view::npos;
  const bool usual = at.port == (at.tls ? 443 : 80);
  if (has_port) return lower(entry) == origin_of(at);
  return usual && lower(entry) + fmt::format(":{}", at.port) == origin_of(at);
}

} // namespace

std::string_view to_string(delivery_outcome o) noexcept {
  switch (o) {
  case delivery_outcome::done:
    return "done";
  case delivery_outcome::again:
    return "again";
  case delivery_outcome::refused:
    return "refused";
  }
  return "invalid";
}

std::string webhook_signature(std::string_view secret, timestamp at, std::string_view body) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
  return fmt::format("t={},v1={}", seconds, to_hex(hmac_sha256(secret, fmt::format("{}.{}", seconds, body))));
}

delivery_answer read_delivery_answer(int status, std::string_view body, std::string_view retry_after, timestamp now) {
  constexpr std::array waiting{408, 425, 429};
  delivery_answer out;
  out.status = status;
  if (status >= 200 && status < 300) {
    out.outcome = delivery_outcome::done;
    return out;
  }
  const bool later = status >= 500 || std::ranges::find(waiting, status) != waiting.end();
  out.outcome = later ? delivery_outcome::again : delivery_outcome::refused;
  if (later) out.try_again = parse_retry_after(retry_after, now, try_again_max);
  out.error = fmt::format("The receiver answered {}", status);
  if (status >= 300 && status < 400) out.error += "; redirects are not followed";
  out.error += body.empty() ? "." : fmt::format(": {}", shown_text(body, body_shown_max));
  return out;
}

struct webhook::inside {
  webhook_options options;
  std::mutex guard;
  std::map<std::tuple<bool, std::string, std::uint16_t>, std::shared_ptr<http_client>> clients;
  bool stopped = false;

  [[nodiscard]] bool allows(const http_location& at) const {
    const auto& own = options.at;
    if (at.tls == own.tls && origin_of(at) == origin_of(own)) return true;
    return std::ranges::any_of(options.allowed_hosts, [&](const std::string& entry) { return names(entry, at); });
  }

  result<std::shared_ptr<http_client>> client_of(http_location at) {
    at.ca_file = options.at.ca_file;
    const std::scoped_lock hold(guard);
    auto key = std::tuple(at.tls, lower(at.host), at.port);
    if (const auto known = clients.find(key); known != clients.end()) return known->second;
    auto made = http_client::make({.at = std::move(at), .body_bytes_max = answer_bytes_max});
    if (!made) return std::unexpected(made.error());
    // Ports of an allowed host are as many as entries; this bound is for lists that are long.
    if (clients.size() >= clients_max) clients.erase(clients.begin());
    if (stopped) (*made)->stop();
    return clients.emplace(std::move(key), std::move(*made)).first->second;
  }
};

webhook::webhook(std::unique_ptr<inside> in) : in_(std::move(in)) {}
webhook::~webhook() = default;

result<std::unique_ptr<webhook>> webhook::make(webhook_options options) {
  require(options.time != nullptr, "a webhook needs a clock");
  auto in = std::make_unique<inside>();
  in->options = std::move(options);
  if (const auto own = in->client_of(in->options.at); !own) return std::unexpected(own.error());
  return std::unique_ptr<webhook>(new webhook(std::move(in)));
}

void webhook::stop() {
  const std::scoped_lock hold(in_->guard);
  in_->stopped = true;
  for (const auto& [place, client] : in_->clients) client->stop();
}

delivery_answer webhook::deliver(const delivery& what) {
  const auto& options = in_->options;
  const auto refuse = [](std::string why) {
    return delivery_answer{.outcome = delivery_outcome::refused, .status = 0, .error = std::move(why), .try_again = {}};
  };
  if (!is_delivery_id(what.id)) return refuse("A delivery needs an id of 1 to 128 printable characters.");
  const auto& at = what.at ? *what.at : options.at;
  if (what.at && !in_->allows(at))
    return refuse(fmt::format("The host {} is not among those that this webhook may call.",
                              shown_text(origin_of(at), body_shown_max)));
  const auto client = in_->client_of(at);
  if (!client) return {.error = shown_text(client.error().message, error_bytes_max), .try_again = {}};
  http_request post{.method = "POST",
                    .target = at.target,
                    .headers = {{"Content-Type", "application/json"}, {"Matricula-Delivery", what.id}},
                    .body = what.body};
  if (!options.secret.empty())
    post.headers.emplace_back("Matricula-Signature",
                              webhook_signature(options.secret, options.time->wall(), what.body));
  const auto reply = (*client)->call(post, std::chrono::steady_clock::now() + options.at_most);
  // Of an answer that is too large, its status is enough.
  if (reply.how == transfer::answered || reply.too_large)
    if (reply.status != 0)
      return read_delivery_answer(reply.status, reply.body, reply.retry_after, options.time->wall());
  return {.error = shown_text(reply.error, error_bytes_max), .try_again = {}};
}

} // namespace matricula::connectors
