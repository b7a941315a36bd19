// What a configuration server answers, and what was kept of it. The first byte says which. What is taken over is in
// range, is written to the same again, and stays when the same comes again.
#include "connectors/mosip_limits.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {
using namespace matricula;
using namespace matricula::connectors;

void check_limits(const mosip_limits& limits) {
  for (const auto& [type, said] : limits.limits()) {
    require(type == "uin" || type == "vid" || type == "prid", "a type of ours");
    require(!said.pool_min || (*said.pool_min >= 1 && *said.pool_min <= 10'000'000), "pool_min is in range");
    require(!said.pool_target || (*said.pool_target >= 1 && *said.pool_target <= 10'000'000),
            "pool_target is in range");
    require(!said.pool_min || !said.pool_target || *said.pool_target >= *said.pool_min, "the target is not below");
    require(!said.cool_off_seconds || *said.cool_off_seconds <= 3650U * 86'400, "the cool-off is in range");
  }
  const auto again = kept_values_from(to_text(limits.good(), 1));
  require(again && again->values == limits.good() && again->taken_at_ms == 1, "what is kept comes back");
}

void read_document(std::string_view text) {
  const auto all = parse_spring_document(text);
  if (!all) {
    require(all.error().code == errc::invalid_argument && !all.error().message.empty(), "a refusal says why");
    return;
  }
  for (const auto& [name, value] : *all) {
    const auto resolved = resolve(*all, name);
    require(!resolved || *resolved, "what is there has a value");
  }
  mosip_limits limits;
  for (const auto& why : limits.take(*all)) require(why.size() < 6'000, "a refusal is bounded");
  check_limits(limits);
  const auto before = limits.good();
  (void)limits.take(*all);
  require(limits.good() == before, "the same again changes nothing");
}

void read_kept(std::string_view text) {
  const auto kept = kept_values_from(text);
  if (!kept) {
    require(kept.error().code == errc::corrupt, "a refusal is one of damaged text");
    return;
  }
  check_limits(mosip_limits(kept->values));
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0)
    read_document(rest);
  else
    read_kept(rest);
  return 0;
}
