#include "test/support/fault_generator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace matricula::test {

namespace {

using call = fault_generator::call;

constexpr std::uint64_t first_identifier = 2'000'000'001;
constexpr std::chrono::milliseconds drip_every{5};
constexpr std::string_view mosip_path = "/v1/idgenerator/uin";
constexpr std::string_view token_path = "/realms/mosip/protocol/openid-connect/token";

struct request {
  std::string method, path, body;
  std::map<std::string, std::string> headers; ///< names in small letters
};

std::string decoded(std::string_view form) {
  std::string out;
  for (std::size_t i = 0; i < form.size(); ++i) {
    if (form[i] == '%' && i + 2 < form.size()) {
      out += static_cast<char>(std::stoi(std::string(form.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += form[i] == '+' ? ' ' : form[i];
    }
  }
  return out;
}

std::string form_value(std::string_view body, std::string_view name) {
  while (!body.empty()) {
    const auto end = std::min(body.find('&'), body.size());
    const auto pair = body.substr(0, end);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) return decoded(pair.substr(equals + 1));
    body.remove_prefix(std::min(end + 1, body.size()));
  }
  return {};
}

/// The text member `name` of a JSON document without escapes, as the node writes it.
std::string json_text(std::string_view body, std::string_view name) {
  const auto at = body.find(fmt::format("\"{}\":\"", name));
  if (at == std::string_view::npos) return {};
  const auto begin = at + name.size() + 4;
  return std::string(body.substr(begin, body.find('"', begin) - begin));
}

std::string http(int status, std::string_view body, std::string_view more = {}) {
  return fmt::format("HTTP/1.1 {} Answer\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{}", status,
                     body.size(), more, body);
}

std::string envelope(std::string_view response, std::string_view errors) {
  return fmt::format(
      R"({{"id":"string","version":"string","responsetime":"2026-01-01T00:00:00.000Z","metadata":null,"response":{},"errors":{}}})",
      response, errors);
}

std::string failure(std::string_view code, std::string_view message) {
  return envelope("null", fmt::format(R"([{{"errorCode":"{}","message":"{}"}}])", code, message));
}

bool is_carried_out(fault f) noexcept { return f == fault::none || f >= fault::delayed; }

} // namespace

struct fault_generator::inside {
  explicit inside(fault_generator_options o) : options(std::move(o)), random(options.seed) {}

  const fault_generator_options options;
  int listener = -1;
  std::uint16_t port = 0;
  std::thread acceptor;

  mutable std::mutex guard;
  mutable std::condition_variable changed;
  bool stopping = false;
  std::vector<std::thread> threads;
  std::set<int> sockets;
  std::mt19937_64 random;
  std::array<std::deque<fault>, 3> scripts;
  std::array<std::uint64_t, 3> counts{};
  std::uint64_t accepted = 0, at_once = 0, most_at_once = 0, undelivered = 0, idle_and_unsaid = 0, tokens_made = 0;
  mutable std::uint64_t held = 0; ///< calls now
  std::uint64_t releases = 0;
  std::set<std::string> tokens;
  std::ofstream ledger;
  std::vector<std::string> issued;
  std::set<std::string, std::less<>> known, assigned, moved;

  void note(std::string_view what, const std::string& id) {
    if (ledger.is_open()) ledger << what << ' ' << id << '\n' << std::flush;
  }

  void read_ledger() {
    if (options.ledger.empty()) return;
    std::ifstream in(options.ledger);
    std::string what, id;
    while (in >> what >> id) {
      if (what == "issued") issued.push_back(id), known.insert(id);
      if (what == "assigned") assigned.insert(id);
      if (what == "moved") moved.insert(id);
    }
    ledger.open(options.ledger, std::ios::app);
    if (!ledger) throw std::runtime_error("the ledger cannot be written");
  }

  fault next_fault(call kind) {
    auto& script = scripts.at(static_cast<std::size_t>(kind));
    if (!script.empty()) {
      const auto f = script.front();
      script.pop_front();
      return f;
    }
    if (kind == call::token || options.random_faults.empty() || random() % 1000 >= options.faults_per_mille)
      return fault::none;
    return options.random_faults.at(random() % options.random_faults.size());
  }

  /// The next identifier, or nothing when the pool is empty.
  std::optional<std::string> take() {
    if (issued.size() >= options.pool_size) return std::nullopt;
    auto id = std::to_string(first_identifier + issued.size());
    note("issued", id);
    issued.push_back(id);
    known.insert(id);
    return id;
  }

  [[nodiscard]] bool has_token(const request& from) const {
    const auto cookie = from.headers.find("cookie");
    constexpr std::string_view name = "Authorization=";
    return cookie != from.headers.end() && cookie->second.starts_with(name) &&
           tokens.contains(cookie->second.substr(name.size()));
  }

  // The three kinds of calls: what a sound generator answers. `guard` is held.

  std::string give_token(const request& from) {
    if (form_value(from.body, "grant_type") != "client_credentials")
      return http(400, R"({"error":"unsupported_grant_type"})");
    if (form_value(from.body, "client_id") != options.client_id ||
        form_value(from.body, "client_secret") != options.client_secret)
      return http(401, R"({"error":"invalid_client","error_description":"not shown"})");
    const auto token = fmt::format("token-{}", ++tokens_made);
    tokens.insert(token);
    return http(200, fmt::format(R"({{"access_token":"{}","expires_in":{},"token_type":"Bearer"}})", token,
                                 options.token_lifetime.count()));
  }

  std::string assign(const request& from) {
    const auto id = json_text(from.body, "uin");
    const auto status = json_text(from.body, "status");
    if (!known.contains(id) || moved.contains(id)) return http(200, failure("KER-UIG-001", "UIN not found"));
    if (assigned.contains(id)) return http(200, failure("KER-UIG-004", "UIN not in ISSUED status"));
    if (status != "ASSIGNED") return http(200, failure("KER-UIG-003", "Given UIN status not found"));
    note("assigned", id);
    assigned.insert(id);
    return http(200, envelope(fmt::format(R"({{"uin":"{}","status":"ASSIGNED"}})", id), "null"));
  }

  std::string issue(bool mosip) {
    const auto id = take();
    if (!id) return none_left(mosip);
    return http(200, mosip ? envelope(fmt::format(R"({{"uin":"{}"}})", *id), "null")
                           : envelope(fmt::format(R"({{"id":"{}"}})", *id), "[]"));
  }

  static std::string none_left(bool mosip) {
    return mosip ? http(200, failure("KER-UIG-001", "UIN not found"))
                 : http(503, failure("IDG-001", "No IDs available. Replenishment in progress."), "Retry-After: 2\r\n");
  }

  // One connection.

  bool send_all(int to, std::string_view bytes) const {
    while (!bytes.empty()) {
      const auto n = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// Whether the time passed; false when the generator stops.
  bool pause(std::chrono::milliseconds time) const {
    std::unique_lock hold(guard);
    return !changed.wait_for(hold, time, [this] { return stopping; });
  }

  void hold_call() const {
    std::unique_lock lock(guard);
    const auto before = releases;
    ++held;
    changed.notify_all();
    changed.wait(lock, [&] { return stopping || releases != before; });
    --held;
  }

  static std::optional<request> read(int from, std::string& in) {
    std::array<char, 4096> bytes{};
    const auto more = [&] {
      const auto n = ::recv(from, bytes.data(), bytes.size(), 0);
      if (n > 0) in.append(bytes.data(), static_cast<std::size_t>(n));
      return n > 0;
    };
    std::size_t head = 0;
    while ((head = in.find("\r\n\r\n")) == std::string::npos)
      if (!more()) return std::nullopt;
    request out;
    std::string_view lines(in.data(), head);
    const auto first = lines.substr(0, lines.find("\r\n"));
    const auto blank = first.find(' ');
    out.method = first.substr(0, blank);
    out.path = first.substr(blank + 1, first.rfind(' ') - blank - 1);
    for (auto at = lines.find("\r\n"); at != std::string_view::npos; at = lines.find("\r\n", at + 2)) {
      const auto line = lines.substr(at + 2, lines.find("\r\n", at + 2) - at - 2);
      const auto colon = line.find(": ");
      if (colon == std::string_view::npos) continue;
      std::string name(line.substr(0, colon));
      std::ranges::transform(name, name.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
      out.headers[name] = line.substr(colon + 2);
    }
    const auto length = out.headers.contains("content-length") ? std::stoul(out.headers["content-length"]) : 0;
    while (in.size() < head + 4 + length)
      if (!more()) return std::nullopt;
    out.body = in.substr(head + 4, length);
    in.erase(0, head + 4 + length);
    return out;
  }

  /// What is done with an answer that was worked out. False: the connection is over.
  bool deliver(int to, fault f, const std::string& answer) const {
    const auto body_at = answer.find("\r\n\r\n") + 4;
    switch (f) {
    case fault::lost:
      return false;
    case fault::reset_before:
    case fault::reset_after: {
      const linger now{1, 0};
      ::setsockopt(to, SOL_SOCKET, SO_LINGER, &now, sizeof now);
      return false;
    }
    case fault::held_before:
    case fault::held_after:
      hold_call();
      return false;
    case fault::delayed:
      return pause(options.delay) && send_all(to, answer);
    case fault::doubled:
      return send_all(to, answer + answer);
    case fault::server_error_before:
    case fault::server_error_after:
      return send_all(to, http(500, R"({"error":"internal"})"));
    case fault::errors_in_200:
      return send_all(to, http(200, failure("KER-UIG-005", "Internal error of 1234567890")));
    case fault::empty_body:
      return send_all(to, http(200, ""));
    case fault::null_response:
      return send_all(to, http(200, envelope("null", "null")));
    case fault::without_id:
      return send_all(to, http(200, envelope(R"({"status":"fine"})", "null")));
    case fault::garbage:
      return send_all(to, http(200, "\xff\xfe<html>{{{\x01"));
    case fault::truncated:
      send_all(to, std::string_view(answer).substr(0, body_at + (answer.size() - body_at) / 2));
      return false;
    case fault::slow_drip:
      if (!send_all(to, std::string_view(answer).substr(0, body_at))) return false;
      // Blanks before the document, without end.
      while (pause(drip_every))
        if (!send_all(to, " ")) break;
      return false;
    case fault::none:
    case fault::pool_empty:
    case fault::token_expired:
      break;
    }
    return send_all(to, answer);
  }

  void serve(int socket) {
    std::string in;
    while (const auto from = read(socket, in))
      if (!answer(socket, *from)) break;
    const std::scoped_lock hold(guard);
    sockets.erase(socket);
    ::close(socket);
  }

  bool answer(int socket, const request& from) {
    const bool token = from.method == "POST" && from.path == token_path;
    const bool mosip = from.path == mosip_path && (from.method == "GET" || from.method == "PUT");
    constexpr std::string_view before = "/v1/idgenerator/", after = "/id";
    const bool openg2p = from.method == "POST" && from.path.starts_with(before) && from.path.ends_with(after) &&
                         from.path.size() > before.size() + after.size();
    if (from.method == "GET" && from.path == "/v1/idgenerator/health")
      return send_all(socket, http(200, envelope(R"({"status":"UP"})", "[]")));
    if (!token && !mosip && !openg2p) return send_all(socket, http(404, R"({"detail":"Not Found"})"));
    const auto kind = token ? call::token : from.method == "PUT" ? call::confirm : call::issue;
    fault f = fault::none;
    {
      const std::scoped_lock hold(guard);
      ++counts.at(static_cast<std::size_t>(kind));
      changed.notify_all();
      if (mosip && options.needs_token && !has_token(from)) return send_all(socket, unauthorised());
      if (openg2p) {
        const auto type = from.path.substr(before.size(), from.path.size() - before.size() - after.size());
        if (std::ranges::find(options.id_types, type) == options.id_types.end())
          return send_all(socket, http(404, failure("IDG-003", "Unknown ID type")));
      }
      f = next_fault(kind);
      if (f == fault::token_expired) tokens.clear();
      if (kind != call::token) most_at_once = std::max(most_at_once, ++at_once);
    }
    if (kind != call::token) pause(options.latency);
    std::string answer;
    bool gave_away = false;
    {
      const std::scoped_lock hold(guard);
      const auto had = issued.size();
      if (f == fault::token_expired)
        answer = unauthorised();
      else if (f == fault::pool_empty)
        answer = kind == call::issue ? none_left(mosip) : http(500, "");
      else if (is_carried_out(f))
        answer = token ? give_token(from) : kind == call::confirm ? assign(from) : issue(mosip);
      else
        answer = http(500, "");
      gave_away = issued.size() > had;
      if (gave_away && f >= fault::lost) ++undelivered;
      const bool says_nothing =
          f == fault::reset_before || f == fault::server_error_before || f == fault::held_before || f >= fault::lost;
      if (kind == call::issue && !gave_away && says_nothing) ++idle_and_unsaid;
    }
    const bool goes_on = deliver(socket, f, answer);
    const std::scoped_lock hold(guard);
    if (kind != call::token) --at_once;
    return goes_on;
  }

  static std::string unauthorised() { return http(401, failure("KER-ATH-401", "Authentication Failed")); }

  void listen() {
    listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    if (listener < 0 || ::bind(listener, reinterpret_cast<const sockaddr*>(&at), size) != 0 ||
        ::listen(listener, 256) != 0 || ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      throw std::runtime_error("the generator cannot listen");
    port = ntohs(at.sin_port);
    acceptor = std::thread([this] { accept_all(); });
  }

  void accept_all() {
    for (;;) {
      const int socket = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      const std::scoped_lock hold(guard);
      if (stopping) {
        if (socket >= 0) ::close(socket);
        return;
      }
      if (socket < 0) continue;
      const int yes = 1;
      ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
      ++accepted;
      sockets.insert(socket);
      threads.emplace_back([this, socket] { serve(socket); });
    }
  }

  void stop() {
    {
      const std::scoped_lock hold(guard);
      if (stopping) return;
      stopping = true;
      ::shutdown(listener, SHUT_RDWR);
      for (const int one : sockets) ::shutdown(one, SHUT_RDWR);
      changed.notify_all();
    }
    acceptor.join();
    for (auto& one : threads) one.join();
    ::close(listener);
  }
};

fault_generator::fault_generator(fault_generator_options options) : in_(std::make_unique<inside>(std::move(options))) {
  in_->read_ledger();
  in_->listen();
}
fault_generator::~fault_generator() { stop(); }

std::uint16_t fault_generator::port() const noexcept { return in_->port; }
std::string fault_generator::openg2p_url() const { return fmt::format("http://127.0.0.1:{}", in_->port); }
std::string fault_generator::mosip_url() const { return openg2p_url() + std::string(mosip_path); }
std::string fault_generator::token_url() const { return openg2p_url() + std::string(token_path); }

void fault_generator::script(call kind, const std::vector<fault>& next) {
  const std::scoped_lock hold(in_->guard);
  auto& all = in_->scripts.at(static_cast<std::size_t>(kind));
  all.insert(all.end(), next.begin(), next.end());
}

void fault_generator::expire_tokens() {
  const std::scoped_lock hold(in_->guard);
  in_->tokens.clear();
}

void fault_generator::move_assigned() {
  const std::scoped_lock hold(in_->guard);
  for (const auto& id : in_->assigned)
    if (in_->moved.insert(id).second) in_->note("moved", id);
}

void fault_generator::stop() { in_->stop(); }

std::uint64_t fault_generator::consumed() const {
  const std::scoped_lock hold(in_->guard);
  return in_->issued.size();
}
std::vector<std::string> fault_generator::issued() const {
  const std::scoped_lock hold(in_->guard);
  return in_->issued;
}
std::uint64_t fault_generator::assigned() const {
  const std::scoped_lock hold(in_->guard);
  return in_->assigned.size();
}
bool fault_generator::is_assigned(std::string_view id) const {
  const std::scoped_lock hold(in_->guard);
  return in_->assigned.contains(id);
}
std::uint64_t fault_generator::undelivered() const {
  const std::scoped_lock hold(in_->guard);
  return in_->undelivered;
}
std::uint64_t fault_generator::idle_and_unsaid() const {
  const std::scoped_lock hold(in_->guard);
  return in_->idle_and_unsaid;
}
std::uint64_t fault_generator::calls(call kind) const {
  const std::scoped_lock hold(in_->guard);
  return in_->counts.at(static_cast<std::size_t>(kind));
}
std::uint64_t fault_generator::connections() const {
  const std::scoped_lock hold(in_->guard);
  return in_->accepted;
}
std::uint64_t fault_generator::most_at_once() const {
  const std::scoped_lock hold(in_->guard);
  return in_->most_at_once;
}

bool fault_generator::wait_for_calls(call kind, std::uint64_t n, std::chrono::milliseconds at_most) const {
  std::unique_lock hold(in_->guard);
  return in_->changed.wait_for(hold, at_most, [&] { return in_->counts.at(static_cast<std::size_t>(kind)) >= n; });
}

bool fault_generator::wait_until_one_is_held(std::chrono::milliseconds at_most) const {
  std::unique_lock hold(in_->guard);
  return in_->changed.wait_for(hold, at_most, [&] { return in_->held > 0; });
}

void fault_generator::release() {
  const std::scoped_lock hold(in_->guard);
  ++in_->releases;
  in_->changed.notify_all();
}

} // namespace matricula::test
