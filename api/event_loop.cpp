#include "api/event_loop.hpp"

#include "foundation/log.hpp"
#include "foundation/thread.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace matricula::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr std::size_t scratch_bytes = std::size_t{16} << 10;
constexpr std::size_t events_max = 128;
constexpr int accepted_at_once_max = 64;
constexpr int handshakes_a_turn = 2;
/// Connections above the bound that are just being told so.
constexpr std::size_t turned_away_max = 256;
/// With every place taken, connections that have been silent for so long make room.
constexpr milliseconds gives_way_after{1'000};
constexpr std::size_t give_way_at_once = 64;
constexpr milliseconds no_room_for{100};
constexpr milliseconds accepts_again_after{100};
constexpr std::chrono::minutes warns_again_after{1};
constexpr std::uint32_t wanted_events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

int spare_descriptor() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }
} // namespace

event_loop::event_loop(loop_surroundings& around)
    : connection_host(around.app, around.limits, around.received, around.unwritten, wheel_), around_(around),
      wheel_(steady_clock::now()), scratch_(scratch_bytes), epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      spare_(spare_descriptor()) {
  require(epoll_ >= 0, "an epoll for the event loop");
  scratch = scratch_;
  now = steady_clock::now();
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.u64 = inbox_place;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, inbox_->descriptor(), &e);
}

event_loop::~event_loop() {
  if (thread_.joinable()) thread_.join();
  if (listening_ >= 0) ::close(listening_);
  if (spare_ >= 0) ::close(spare_);
  ::close(epoll_);
}

void event_loop::start(int listening, std::vector<event_loop*> others) {
  listening_ = listening;
  others_ = std::move(others);
  if (listening_ >= 0) listen();
  thread_ = std::thread([this] {
    name_this_thread("http-loop");
    // OpenSSL writes without MSG_NOSIGNAL.
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    run();
    ending_.set_value();
  });
}

bool event_loop::offer(std::function<void()> job) {
  const bool taken = around_.workers.offer(std::move(job));
  around_.waiting.Set(static_cast<double>(around_.workers.waiting()));
  return taken;
}

runtime::reply_notice event_loop::notice_for(connection& to) {
  const auto token = (std::uint64_t{next_number_++} << 32) | (to.place() & 0xffff'ffff);
  to.expect_token(token);
  return {inbox_, token};
}

connection* event_loop::find(std::uint64_t place) noexcept {
  auto* found = slots_.at(place & 0xffff'ffff).get();
  return found != nullptr && found->place() == place ? found : nullptr;
}

void event_loop::run() {
  while (!draining || count_ > 0) turn();
}

int event_loop::wait_ms() const {
  if (!again_.empty() || !handshakes_.empty()) return 0;
  auto next = wheel_.next();
  if (accepts_again_) next = std::min(next.value_or(*accepts_again_), *accepts_again_);
  if (!next) return -1;
  const auto left = std::chrono::ceil<milliseconds>(*next - steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

void event_loop::turn() {
  auto wait = wait_ms();
  if (wait != 0 && !inbox_->may_sleep()) wait = 0;
  std::array<epoll_event, events_max> events;
  const int n = ::epoll_wait(epoll_, events.data(), events_max, wait);
  inbox_->is_awake();
  now = steady_clock::now();
  if (accepts_again_ && now >= *accepts_again_) resume_accepting();

  for (int i = 0; i < n; ++i) {
    const auto& e = events.at(static_cast<std::size_t>(i));
    if (e.data.u64 == inbox_place) {
      inbox_->clear_wake();
    } else if (e.data.u64 == listener_place) {
      accept();
    } else if (auto* c = find(e.data.u64)) {
      c->on_event(e.events);
      if (!c->has_turn) go_on(*c); // or whoever sends much would get a turn for each piece
    }
  }

  inbox_->take(told_);
  for (const int socket : told_.sockets) take_in(socket);
  for (const auto token : told_.tokens)
    if (auto& c = slots_.at(token & 0xffff'ffff)) settle(*c, c->on_reply(token));
  if (told_.drain) begin_drain();
  if (told_.cut) cut_all();

  for (auto left = again_.size(); left > 0; --left) {
    const auto place = again_.front();
    again_.pop_front();
    auto* c = find(place);
    if (c == nullptr) continue;
    c->has_turn = false;
    go_on(*c);
  }
  for (auto left = std::min<std::size_t>(handshakes_.size(), handshakes_a_turn); left > 0; --left) {
    const auto place = handshakes_.front();
    handshakes_.pop_front();
    auto* c = find(place);
    if (c == nullptr) continue;
    c->in_line = false;
    settle(*c, c->drive());
  }
  while (auto* due = wheel_.take_due(now)) {
    auto& c = static_cast<connection&>(*due);
    settle(c, c.on_deadline());
  }
  around_.received_bytes.Set(static_cast<double>(received.used()));
  around_.unwritten_bytes.Set(static_cast<double>(unwritten.used()));
}

void event_loop::go_on(connection& c) {
  if (!c.has_handshake_to_do()) return settle(c, c.drive());
  if (!std::exchange(c.in_line, true)) handshakes_.push_back(c.place());
}

void event_loop::settle(connection& c, connection::then next) {
  if (next == connection::then::end)
    end(c);
  else if (next == connection::then::again && !std::exchange(c.has_turn, true))
    again_.push_back(c.place());
}

void event_loop::end(connection& c) {
  const auto slot = static_cast<std::uint32_t>(c.place() & 0xffff'ffff);
  slots_.at(slot).reset();
  free_.push_back(slot);
  --count_;
  around_.connections.fetch_sub(1, std::memory_order_relaxed);
  around_.open.Decrement();
}

void event_loop::accept() {
  for (int i = 0; i < accepted_at_once_max; ++i) {
    const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket < 0) {
      const int why = errno;
      if (why == EINTR || why == ECONNABORTED) continue;
      const bool no_descriptor = why == EMFILE || why == ENFILE;
      const bool no_memory = why == ENOBUFS || why == ENOMEM;
      if ((no_descriptor && !accept_and_drop()) || no_memory) pause_accepting();
      return;
    }
    const auto turn = next_other_++ % (others_.size() + 1);
    if (turn == 0)
      take_in(socket);
    else
      others_.at(turn - 1)->hand_over(socket);
  }
}

bool event_loop::accept_and_drop() {
  if (spare_ >= 0) ::close(spare_);
  const int socket = ::accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
  if (socket >= 0) ::close(socket);
  spare_ = spare_descriptor();
  if (socket < 0) return false;
  around_.turned_away.Increment();
  ++dropped_;
  if (now < warns_again_) return true;
  log::warning("http.no_descriptors",
               "No file descriptor is left: connections are dropped. Raise the limit of open files (LimitNOFILE), or "
               "lower server.connections_max.",
               {{"dropped", dropped_}});
  dropped_ = 0;
  warns_again_ = now + warns_again_after;
  return true;
}

void event_loop::pause_accepting() {
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, listening_, nullptr);
  accepts_again_ = now + accepts_again_after;
}

void event_loop::resume_accepting() {
  accepts_again_.reset();
  if (listening_ >= 0) listen();
}

void event_loop::listen() {
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.u64 = listener_place;
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, listening_, &e);
}

void event_loop::take_in(int socket) {
  // Its own place counts already, or several loops would give away the same.
  const auto others = around_.connections.fetch_add(1, std::memory_order_relaxed);
  const bool room = (others < around_.connections_max || make_room()) && !cutting_;
  auto identity = around_.identity();
  // Telling it why needs a place too, and in TLS a handshake: then it is just closed.
  if (!room && (identity || others >= around_.connections_max + turned_away_max)) {
    around_.connections.fetch_sub(1, std::memory_order_relaxed);
    around_.turned_away.Increment();
    ::close(socket);
    return;
  }
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(slots_.size()));
    slots_.emplace_back();
  }
  const auto slot = free_.back();
  free_.pop_back();
  const auto place = (std::uint64_t{next_number_++} << 32) | slot;
  connection_host& self = *this;
  auto& c = *(slots_.at(slot) = std::make_unique<connection>(self, socket, std::move(identity), place));
  ++count_;
  around_.open.Increment();
  epoll_event e{};
  e.events = wanted_events;
  e.data.u64 = place;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &e) != 0) return end(c);
  if (room) return go_on(c);
  around_.turned_away.Increment();
  settle(c, c.turn_away(error{errc::overloaded, "Too many connections at once. Try again after Retry-After.",
                              std::chrono::seconds(1)}));
}

bool event_loop::make_room() {
  // Looking through all of them costs: not for every connection of a flood.
  if (now < no_room_until_) return false;
  no_room_until_ = now + no_room_for;
  std::vector<std::pair<steady_clock::time_point, connection*>> silent;
  for (const auto& c : slots_)
    if (const auto since = c ? c->idle_since() : std::nullopt; since && now - *since >= gives_way_after)
      silent.emplace_back(*since, c.get());
  if (silent.empty()) return false;
  const auto most = std::min(silent.size(), give_way_at_once);
  std::ranges::partial_sort(silent, silent.begin() + static_cast<std::ptrdiff_t>(most), {},
                            &std::pair<steady_clock::time_point, connection*>::first);
  for (std::size_t i = 0; i < most; ++i) end(*silent[i].second);
  no_room_until_ = {};
  return true;
}

void event_loop::begin_drain() {
  if (draining) return;
  draining = true;
  if (listening_ >= 0) {
    ::close(listening_);
    listening_ = -1;
  }
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_[i]) settle(*slots_[i], slots_[i]->drain());
}

void event_loop::cut_all() {
  cutting_ = true;
  for (const auto& c : slots_)
    if (c && c->cut()) end(*c);
}

} // namespace matricula::api
