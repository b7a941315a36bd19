/// A request without a socket, for tests of what lies behind the server.
#pragma once
#include "api/route.hpp"

#include <map>
#include <string>

namespace matricula::api {

class request_from_text final : public incoming {
public:
  request_from_text(std::string method, std::string target, std::map<std::string, std::string> headers = {},
                    std::string body = "")
      : method_(std::move(method)), target_(std::move(target)), headers_(std::move(headers)), body_(std::move(body)) {}

  [[nodiscard]] std::string_view method() const override { return method_; }
  [[nodiscard]] std::string_view target() const override { return target_; }
  [[nodiscard]] std::string_view header(std::string_view name) const override {
    const auto found = headers_.find(std::string(name));
    return found == headers_.end() ? std::string_view{} : std::string_view(found->second);
  }
  [[nodiscard]] outcome<std::string_view> body(std::size_t bytes_max) override {
    ++body_reads;
    if (body_.size() > bytes_max) return refuse(413, errc::payload_too_large, "too large");
    return std::string_view(body_);
  }

  int body_reads = 0;

private:
  std::string method_;
  std::string target_;
  std::map<std::string, std::string> headers_;
  std::string body_;
};

/// The value of an answer's header; empty when it has none.
inline std::string header_of(const response& answer, std::string_view name) {
  for (const auto& [own, value] : answer.headers)
    if (own == name) return value;
  return "";
}

} // namespace matricula::api
