// Requests in whatever pieces they come: the first byte says how long the pieces are, and what is read must not depend
// on it.
#include "api/request_reader.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace {
using namespace matricula::api;

std::string read_all(std::string_view bytes, std::size_t piece) {
  request_reader reader({.bytes_max = 400, .fields_max = 8, .target_bytes_max = 60});
  std::string seen;
  while (!bytes.empty()) {
    const auto part = bytes.substr(0, piece);
    bytes.remove_prefix(part.size());
    auto stands = reader.feed(part);
    while (stands == request_reader::state::has_head || stands == request_reader::state::whole) {
      if (stands == request_reader::state::has_head) {
        seen.append(reader.head().method).append(reader.head().target);
        stands = reader.expect_body(600);
      } else {
        if (reader.body().size() > 600) std::abort();
        seen.append("[").append(reader.body()).append("]");
        stands = reader.next();
      }
    }
    if (stands == request_reader::state::refused) return seen + reader.why_refused().cause.message;
  }
  return seen + (reader.is_between() ? "." : "...");
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read_all(bytes, 1 + data[0] % 64U) != read_all(bytes, bytes.size())) std::abort();
  return 0;
}
