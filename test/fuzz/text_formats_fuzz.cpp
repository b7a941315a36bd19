// Texts of a fixed form: the tokens file, times, trace headers. What is accepted can be written again and is read back
// as the same. The first byte says which form.
#include "api/tokens.hpp"
#include "foundation/clock.hpp"
#include "foundation/random.hpp"
#include "foundation/trace.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <unistd.h>

namespace {
using namespace matricula;
namespace fs = std::filesystem;

/// A tokens file in memory where there is such a place: each run writes it, and adding a token syncs it.
class scratch_file {
public:
  scratch_file() {
    std::string name = (fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
                       "matricula-tokens-fuzz-XXXXXX";
    require(::mkdtemp(name.data()) != nullptr, "a folder for the tokens file");
    folder_ = name;
  }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  ~scratch_file() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] fs::path path() const { return folder_ / "tokens"; }
  void write(std::string_view text) const {
    const int fd = ::open(path().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()), "the file");
    ::close(fd);
  }

private:
  fs::path folder_;
};

bool same(const api::token_record& a, const api::token_record& b) {
  return a.who.name == b.who.name && a.who.tenant == b.who.tenant && a.who.scopes == b.who.scopes && a.hash == b.hash &&
         a.created == b.created && a.expires == b.expires && a.who.quota == b.who.quota;
}

void read_tokens(std::string_view text) {
  static const scratch_file file;
  file.write(text);
  const auto tokens = api::load_tokens(file.path());
  if (!tokens) {
    require(tokens.error().code == errc::corrupt && tokens.error().message.contains("line"), "the line is named");
    return;
  }
  const auto made = api::create_token(file.path(), {.name = "one-more", .scopes = {"*"}, .expires = {}}, timestamp{});
  if (!made) {
    require(made.error().code == errc::conflict, "only its name can be in the way");
    return;
  }
  const auto again = api::load_tokens(file.path());
  require(again && again->size() == tokens->size() + 1, "a written file is read");
  require(std::equal(tokens->begin(), tokens->end(), again->begin(), same), "the tokens stay as they were");
}

void read_time(std::string_view text) {
  const auto time = parse_rfc3339(text);
  if (!time) {
    require(time.error().code == errc::invalid_argument && !time.error().message.empty(), "a refusal says why");
    return;
  }
  const auto again = parse_rfc3339(to_rfc3339(*time));
  require(again && *again == *time, "a time that was read is written to the same");
}

void read_trace(std::string_view text) {
  static seeded_random random(1);
  const auto child = child_traceparent(text, random);
  require(is_traceparent(child), "the own one is valid whatever came");
  if (is_traceparent(text)) require(child.substr(3, 32) == text.substr(3, 32), "the trace goes on");
  if (is_request_id(text)) require(text.size() <= 64 && !text.contains('\n'), "it can stand in a header");
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
  case 0:
    read_tokens(rest);
    break;
  case 1:
    read_time(rest);
    break;
  default:
    read_trace(rest);
  }
  return 0;
}
