#include "api/request_reader.hpp"

#include <algorithm>

namespace matricula::api {

namespace {
/// Memory that a request may leave behind with its connection.
constexpr std::size_t kept_bytes_max = 4096;

void empty_out(std::string& text) {
  if (text.capacity() > kept_bytes_max)
    std::string().swap(text); // an assignment would keep the memory
  else
    text.clear();
}

refusal body_too_large(std::size_t bytes_max) {
  return {413, errc::payload_too_large, "The body is over " + std::to_string(bytes_max) + " bytes."};
}
} // namespace

request_reader::state request_reader::feed(std::string_view bytes) {
  if (at_ > 0) {
    in_.erase(0, at_);
    at_ = 0;
  }
  in_.append(bytes);
  return read();
}

request_reader::state request_reader::expect_body(std::size_t bytes_max) {
  if (!head_.has_body()) return state_ = state::whole;
  if (head_.content_length > bytes_max) return refuse(body_too_large(bytes_max));
  body_bytes_max_ = bytes_max;
  if (head_.chunked) chunks_.emplace(bytes_max);
  state_ = state::body;
  return read();
}

request_reader::state request_reader::next() {
  empty_out(body_);
  empty_out(head_text_);
  if (rest().empty()) {
    empty_out(in_);
    at_ = 0;
  }
  searched_ = 0;
  skipped_line_ = false;
  chunks_.reset();
  state_ = state::head;
  return read();
}

void request_reader::refuse_with(refusal why) { refuse(std::move(why)); }

request_reader::state request_reader::refuse(refusal why) {
  why_ = std::move(why);
  std::string().swap(in_);
  std::string().swap(body_);
  at_ = 0;
  return state_ = state::refused;
}

void request_reader::use(std::size_t bytes) noexcept {
  at_ += bytes;
  if (at_ < in_.size()) return;
  in_.clear();
  at_ = 0;
}

request_reader::state request_reader::read() {
  if (state_ == state::head) return read_head();
  if (state_ == state::body) return read_body();
  return state_;
}

request_reader::state request_reader::read_head() {
  // An empty line before a request is a relic of old clients (RFC 9112, section 2.2).
  if (!skipped_line_ && searched_ == 0 && rest().starts_with("\r\n")) {
    use(2);
    skipped_line_ = true;
  }
  const auto text = rest();
  const auto end = text.find("\r\n\r\n", searched_);
  if (end != std::string_view::npos && end + 4 <= limits_.bytes_max) {
    head_text_.assign(text, 0, end + 4);
    use(end + 4);
    if (auto ok = parse_head(head_text_, limits_, head_); !ok) return refuse(std::move(ok.error()));
    return state_ = state::has_head;
  }
  if (text.size() >= limits_.bytes_max)
    return refuse({431, errc::payload_too_large,
                   "The head of the request is over " + std::to_string(limits_.bytes_max) + " bytes."});
  searched_ = text.size() < 3 ? 0 : text.size() - 3;
  return state_;
}

request_reader::state request_reader::read_body() {
  if (!chunks_) {
    const auto part = rest().substr(0, static_cast<std::size_t>(head_.content_length) - body_.size());
    body_.append(part);
    use(part.size());
    if (body_.size() == head_.content_length) state_ = state::whole;
    return state_;
  }
  std::size_t used = 0;
  const auto stands = chunks_->feed(rest(), body_, used);
  use(used);
  switch (stands) {
  case chunked_body::state::needs_more:
    break;
  case chunked_body::state::complete:
    state_ = state::whole;
    break;
  case chunked_body::state::malformed:
    return refuse({400, errc::invalid_argument, "The chunks of the body are malformed."});
  case chunked_body::state::too_large:
    return refuse(body_too_large(body_bytes_max_));
  }
  return state_;
}

} // namespace matricula::api
