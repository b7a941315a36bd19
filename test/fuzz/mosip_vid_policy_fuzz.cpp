// MOSIP's policy file: any bytes are refused with a sentence that names a place, or give policies that are without
// fault and go together.
#include "api/compat/mosip_vid_policy.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace matricula;
  const auto all = api::compat::parse_mosip_vid_policies({reinterpret_cast<const char*>(data), size});
  if (!all) {
    require(all.error().code == errc::invalid_argument, "a bad file is a bad argument");
    require(all.error().message.find(": ") != std::string::npos, "a refusal names the place");
    return 0;
  }
  require(!all->empty(), "a file without policies is refused");
  const identifiers::vid_policies together(*all); // checks each, and that no name comes twice
  for (const auto& p : *all) require(together.find(p.name) != nullptr, "each is found by its name");
  return 0;
}
