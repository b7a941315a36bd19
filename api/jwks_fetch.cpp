#include "api/jwks_fetch.hpp"

#include "api/jwks.hpp"
#include "connectors/http_text.hpp"

#include <fstream>

namespace matricula::api {

namespace {
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
} // namespace

jwks_fetch::jwks_fetch(const jwks_location& from) : from_(from) {
  if (from.host.empty()) return;
  connectors::http_location at;
  at.tls = from.tls;
  at.host = from.host;
  at.port = from.port;
  at.target = from.target;
  at.ca_file = from.ca_file;
  over_http_ = std::make_unique<connectors::http_text>(at, key_set::text_bytes_max);
}
jwks_fetch::~jwks_fetch() = default;

void jwks_fetch::stop() noexcept {
  if (over_http_) over_http_->stop();
}

result<std::string> jwks_fetch::run(std::chrono::milliseconds at_most) {
  if (!over_http_) return read_file(from_.file);
  auto text = over_http_->run(at_most);
  if (!text) text.error().message = "The key set could not be had: " + text.error().message;
  return text;
}

} // namespace matricula::api
