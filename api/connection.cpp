#include "api/connection.hpp"

#include "api/peer_address.hpp"
#include "api/problem.hpp"

#include <algorithm>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <utility>

namespace matricula::api {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {
constexpr milliseconds linger_time{500};
constexpr std::size_t linger_bytes_max = std::size_t{1} << 20;
/// One turn of a connection: so many pieces are read, requests answered or writes tried before others have theirs.
constexpr int steps_max = 64;
constexpr std::size_t kept_bytes_max = 4096;

refusal too_slow(const char* what) {
  return {408, errc::deadline_exceeded, std::string("The ") + what + " of the request came too slowly."};
}

/// In plain text: whoever sent no TLS reads no TLS. Nothing was asked of the application.
constexpr std::string_view not_tls_answer =
    "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 44\r\n\r\n"
    "This port speaks TLS. Use https:// instead.\n";

} // namespace

void append_head(std::string& out, const response& answer, bool close) {
  out.append("HTTP/1.1 ").append(std::to_string(answer.status)).append(" ").append(reason_of(answer.status));
  out.append("\r\n");
  const auto field = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": ");
    // A line break in a value would begin a header that nobody wrote.
    for (const char c : value) out.push_back(static_cast<unsigned char>(c) < 0x20 ? ' ' : c);
    out.append("\r\n");
  };
  if (!answer.content_type.empty() && !answer.body.empty()) field("Content-Type", answer.content_type);
  if (answer.status != 204 && answer.status != 304) field("Content-Length", std::to_string(answer.body.size()));
  for (const auto& [name, value] : answer.headers) field(name, value);
  if (close) field("Connection", "close");
  out.append("\r\n");
}

connection::connection(connection_host& host, int socket, std::shared_ptr<const tls_identity> identity,
                       std::uint64_t place)
    : host_(host), stream_(socket, std::move(identity)), place_(place),
      state_(stream_.is_open() ? state::reading : state::opening), idle_since_(host.now), reader_(host.limits.head),
      received_(host.received), unwritten_(host.unwritten) {}

connection::~connection() { host_.wheel.clear(*this); }

std::string_view connection::peer() const {
  if (peer_.empty()) peer_ = peer_address(socket());
  return peer_;
}

outcome<std::string_view> connection::body(std::size_t) {
  if (reader_.now() == request_reader::state::refused) return std::unexpected(reader_.why_refused());
  return reader_.body();
}

void connection::on_event(std::uint32_t events) noexcept {
  if ((events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) peer_done_ = true;
  if (peer_done_ || (events & EPOLLIN) != 0) readable_ = true;
}

void connection::time(timing what, milliseconds at_most) {
  if (timed_ == what) return;
  timed_ = what;
  host_.wheel.set(*this, host_.now + at_most);
}

void connection::stop_timing() noexcept {
  timed_ = timing::none;
  host_.wheel.clear(*this);
}

std::optional<steady_clock::time_point> connection::idle_since() const noexcept {
  const bool idle = state_ == state::opening || (state_ == state::reading && reader_.is_between());
  return idle ? std::optional(idle_since_) : std::nullopt;
}

connection::then connection::drive() {
  for (int i = 0; i < steps_max; ++i) {
    switch (advance()) {
    case step::go_on:
      break;
    case step::park:
      return then::park;
    case step::end:
      return then::end;
    }
  }
  return then::again;
}

connection::step connection::advance() {
  switch (state_) {
  case state::opening:
    return open();
  case state::reading:
    return read();
  case state::writing:
    return flush();
  case state::lingering:
    return linger();
  case state::admitting:
  case state::working:
  case state::awaiting:
    break;
  }
  return step::park;
}

connection::step connection::open() {
  switch (stream_.open()) {
  case byte_stream::opening::open:
    state_ = state::reading;
    stop_timing(); // of the handshake: the first head has its own time
    return step::go_on;
  case byte_stream::opening::blocked:
    readable_ = false;
    if (host_.draining) return step::end;
    time(timing::head, host_.limits.head_timeout);
    return step::park;
  case byte_stream::opening::not_tls:
    stream_.send_raw(not_tls_answer);
    return begin_linger();
  case byte_stream::opening::failed:
    break;
  }
  return step::end;
}

connection::step connection::read() {
  switch (reader_.now()) {
  case request_reader::state::has_head:
    return admit();
  case request_reader::state::whole:
    return proceed();
  case request_reader::state::refused:
    return exchange_ ? proceed() : refuse_unread(reader_.why_refused());
  case request_reader::state::head:
  case request_reader::state::body:
    break;
  }
  if (readable_) return receive();
  if (reader_.now() == request_reader::state::body) {
    time(timing::body, host_.limits.body_timeout);
  } else if (!reader_.is_between()) {
    time(timing::head, host_.limits.head_timeout);
  } else {
    if (host_.draining) return step::end;
    time(timing::idle, host_.limits.keep_alive);
  }
  return step::park;
}

connection::step connection::receive() {
  const auto got = stream_.receive(host_.scratch.data(), host_.scratch.size());
  switch (got.how) {
  case byte_stream::outcome::moved:
    // A part of what was asked for is all there was. TLS reads record by record, and the end must be read itself.
    if (got.bytes < host_.scratch.size() && !peer_done_ && !stream_.is_tls()) readable_ = false;
    reader_.feed({host_.scratch.data(), got.bytes});
    if (!received_.hold(reader_.held_bytes()))
      reader_.refuse_with(error{errc::overloaded, "Too much is being received at once. Try again after Retry-After.",
                                std::chrono::seconds(1)});
    return step::go_on;
  case byte_stream::outcome::blocked:
    readable_ = false;
    return step::go_on;
  case byte_stream::outcome::closed:
    break;
  }
  readable_ = false;
  peer_done_ = true;
  if (reader_.now() == request_reader::state::head) return step::end;
  reader_.refuse_with({400, errc::invalid_argument, "The body is cut off."});
  return step::go_on;
}

connection::step connection::admit() {
  incoming& request = *this;
  exchange_ = std::make_unique<application::exchange>(host_.app, request);
  if (exchange_->admit_at_once()) return after_admission();
  const auto told = host_.notice_for(*this);
  if (!host_.offer([x = exchange_.get(), told] {
        x->admit();
        told.tell();
      })) {
    exchange_->refuse_for_load("Too many requests wait for a thread. Try again after Retry-After.");
    return answer();
  }
  state_ = state::admitting;
  stop_timing();
  return step::park;
}

connection::step connection::after_admission() {
  state_ = state::reading;
  if (exchange_->answered()) return answer();
  const auto bytes_max = exchange_->body_bytes_max();
  if (!bytes_max) return proceed();
  const auto stands = reader_.expect_body(*bytes_max);
  if (stands != request_reader::state::body) return step::go_on;
  if (reader_.wants_continue()) {
    // A socket that cannot take this gets it before its answer.
    out_ = "HTTP/1.1 100 Continue\r\n\r\n";
    if (const auto sent = stream_.send(out_, {}); sent.how == byte_stream::outcome::moved) out_.erase(0, sent.bytes);
  }
  return step::go_on;
}

connection::step connection::proceed() {
  const auto replied = host_.notice_for(*this);
  stop_timing();
  // What cannot be read is refused without a thread.
  if (exchange_->waits() && reader_.now() != request_reader::state::refused) {
    reply_token_ = replied.token;
    reply_came_ = false;
    const auto done = host_.notice_for(*this);
    if (!host_.offer([x = exchange_.get(), replied, done] {
          x->begin(replied);
          done.tell();
        })) {
      exchange_->refuse_for_load("Too many requests wait for a thread. Try again after Retry-After.");
      return answer();
    }
    state_ = state::working;
    return step::park;
  }
  exchange_->begin(replied);
  return exchange_->answered() ? answer() : await_reply();
}

connection::step connection::await_reply() {
  state_ = state::awaiting;
  host_.wheel.set(*this, host_.now + exchange_->time_left());
  return step::park;
}

connection::step connection::after_work() {
  if (exchange_->answered()) return answer();
  if (reply_came_) {
    exchange_->complete();
    return answer();
  }
  token_ = reply_token_;
  return await_reply();
}

connection::then connection::on_reply(std::uint64_t token) {
  if (state_ == state::working && token == reply_token_) reply_came_ = true;
  if (token != token_) return then::park;
  step next = step::park;
  switch (state_) {
  case state::admitting:
    next = after_admission();
    break;
  case state::working:
    next = after_work();
    break;
  case state::awaiting:
    exchange_->complete();
    next = answer();
    break;
  default:
    return then::park;
  }
  if (next == step::end) return then::end;
  return next == step::go_on ? drive() : then::park;
}

connection::then connection::on_deadline() {
  timed_ = timing::none;
  step next = step::end;
  switch (state_) {
  case state::awaiting:
    exchange_->complete();
    next = answer();
    break;
  case state::reading:
    if (exchange_) {
      reader_.refuse_with(too_slow("body"));
      next = proceed();
    } else if (!reader_.is_between()) {
      next = refuse_unread(too_slow("head"));
    }
    break;
  default:
    break;
  }
  if (next == step::end) return then::end;
  return next == step::go_on ? drive() : then::park;
}

connection::step connection::answer() {
  token_ = 0; // a reply that comes later is nobody's
  ++served_;
  const bool close =
      reader_.head().close || !reader_.at_request_boundary() || host_.draining || served_ >= host_.limits.requests_max;
  auto text = exchange_->take_answer();
  const bool bodyless = method() == "HEAD";
  exchange_.reset();
  if (!bodyless) return send(std::move(text), close);
  append_head(out_, text, close);
  close_ = close;
  state_ = state::writing;
  return flush();
}

connection::step connection::refuse_unread(const refusal& why) { return send(host_.app.refuse_unread(why), true); }

connection::then connection::turn_away(const refusal& why) {
  return refuse_unread(why) == step::end ? then::end : then::again;
}

connection::step connection::send(response answer, bool close) {
  append_head(out_, answer, close);
  if (answer.status != 204 && answer.status != 304) out_body_ = std::move(answer.body);
  if (stream_.is_tls() && out_body_.size() <= kept_bytes_max) out_.append(std::exchange(out_body_, {})); // one record
  close_ = close;
  state_ = state::writing;
  return flush();
}

connection::step connection::flush() {
  const auto whole = out_.size() + out_body_.size();
  while (sent_ < whole) {
    const auto of_head = std::min(sent_, out_.size());
    const auto moved =
        stream_.send(std::string_view(out_).substr(of_head), std::string_view(out_body_).substr(sent_ - of_head));
    if (moved.how == byte_stream::outcome::closed) return step::end;
    if (moved.how == byte_stream::outcome::blocked) {
      // A slow reader may hold memory only while there is enough.
      if (!unwritten_.hold(out_.capacity() + out_body_.capacity())) return step::end;
      time(timing::write, host_.limits.write_timeout);
      return step::park;
    }
    sent_ += moved.bytes;
  }
  out_.clear();
  if (out_.capacity() > kept_bytes_max) std::string().swap(out_); // an assignment would keep the memory
  std::string().swap(out_body_);
  sent_ = 0;
  (void)unwritten_.hold(0);
  return after_answer();
}

connection::step connection::after_answer() {
  if (close_) return reader_.at_rest() && !readable_ ? step::end : begin_linger();
  state_ = state::reading;
  stop_timing();
  idle_since_ = host_.now;
  reader_.next();
  (void)received_.hold(reader_.held_bytes()); // never more than before
  return step::go_on;
}

connection::step connection::begin_linger() {
  stream_.end_sending();
  state_ = state::lingering;
  host_.wheel.set(*this, host_.now + linger_time);
  return step::go_on;
}

connection::step connection::linger() {
  const auto got = stream_.receive_raw(host_.scratch.data(), host_.scratch.size());
  if (got.how == byte_stream::outcome::blocked) return step::park;
  swallowed_ += got.bytes;
  return got.how == byte_stream::outcome::closed || swallowed_ >= linger_bytes_max ? step::end : step::go_on;
}

connection::then connection::drain() {
  if (state_ != state::opening && state_ != state::reading) return then::park;
  readable_ = true; // a request that is there already is still served
  return drive();
}

bool connection::cut() {
  ::shutdown(socket(), SHUT_RDWR);
  return state_ != state::admitting && state_ != state::working;
}

} // namespace matricula::api
