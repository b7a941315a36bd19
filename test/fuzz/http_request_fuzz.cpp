// Whatever a client sends: the head, the chunked body, the target, and the answer of the whole chain to it.
#include "api/application.hpp"
#include "api/chunked_body.hpp"
#include "api/http_head.hpp"
#include "api/target.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>

namespace {
using namespace matricula;
using namespace matricula::api;

class request_of_bytes final : public incoming {
public:
  request_of_bytes(const request_head& head, std::string_view rest) : head_(head), rest_(rest) {}
  [[nodiscard]] std::string_view method() const override { return head_.method; }
  [[nodiscard]] std::string_view target() const override { return head_.target; }
  [[nodiscard]] std::string_view header(std::string_view name) const override { return head_.find(name); }
  [[nodiscard]] outcome<std::string_view> body(std::size_t bytes_max) override {
    if (!head_.chunked) return rest_.substr(0, std::min<std::size_t>(head_.content_length, bytes_max));
    chunked_body decoder(bytes_max);
    std::size_t used = 0;
    const auto state = decoder.feed(rest_, decoded_, used);
    if (used > rest_.size() || decoded_.size() > bytes_max) std::abort();
    if (state == chunked_body::state::too_large) return refuse(413, errc::payload_too_large, "too large");
    if (state != chunked_body::state::complete) return refuse(400, errc::invalid_argument, "malformed");
    return std::string_view(decoded_);
  }

private:
  const request_head& head_;
  std::string_view rest_;
  std::string decoded_;
};

struct world {
  metrics numbers;
  matricula::system_clock time;
  open_authenticator everyone;
  application app{{.limits = {.access_log = false}, .open_routes = {}}, everyone, numbers, time};
  world() {
    const auto echo = [](const request& from) { return response{.body = std::string(from.body)}; };
    for (const auto* path :
         {"/", "/v1/ids/{type}", "/v1/ids/{type}/{id}/confirm", "/v1/actors/{path...}", "/v1/actors/{path...}/kill"})
      for (const auto* method : {"GET", "POST"})
        if (!app.add({method, path, "s", echo})) std::abort();
  }
};
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static world here;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) {
    chunked_body decoder(1000);
    std::string out;
    std::size_t used = 0;
    decoder.feed(bytes, out, used);
    if (used > size || out.size() > 1000) std::abort();
    (void)percent_decode(bytes);
    (void)parse_query(bytes);
    return 0;
  }
  request_head head;
  if (!parse_head(bytes.substr(0, end + 4), {}, head)) return 0;
  request_of_bytes request(head, bytes.substr(end + 4));
  const auto answer = here.app.answer(request);
  if (answer.status < 200 || answer.status > 599 || answer.status == 500) std::abort();
  return 0;
}
