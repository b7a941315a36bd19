/// Any bytes as an identifier, under any profile: a verdict without a crash, and one that the parts of the engine
/// share.
#include "domain/identifiers/alphabet.hpp"
#include "domain/identifiers/body_codec.hpp"
#include "domain/identifiers/checksum.hpp"
#include "domain/identifiers/profiles.hpp"
#include "foundation/error.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

using namespace matricula;
using namespace matricula::identifiers;

namespace {

/// A valid identifier obeys each part of the engine and survives the way into a number and back.
void check_valid(const id_format& format, std::string_view id) {
  require(id.size() == format.length && is_written_in(format.written_in, id), "a valid identifier has its form");
  require(accepts(format.rules, id), "the generator's filter agrees with the verdict");
  require(!has_check_digit(format.rules, format.written_in) || has_valid_check_digit(id), "the check digit is right");
  const body_codec codec(format);
  const auto body = id.substr(0, codec.length());
  const auto number = codec.read(body);
  require(number.has_value(), "a valid identifier has a number");
  std::array<char, 32> text{};
  require(codec.write(*number, text.data()) && std::string_view(text.data(), body.size()) == body,
          "its number has the same body");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  const auto names = profile_names();
  const auto written_in = data[1] % 2 == 0 ? alphabet::digits : alphabet::letters_and_digits;
  const std::string_view id(reinterpret_cast<const char*>(data) + 3, size - 3);
  const auto wanted = data[2] % 8 == 0 ? data[2] / 8 : id.size();
  const auto length = wanted < 2 || wanted > length_max(written_in) ? 10 : wanted;
  const id_format format{written_in, length, find_profile(names[data[0] % names.size()]).value()};

  (void)find_profile(id);
  (void)parse_alphabet(id);
  (void)has_valid_check_digit(id);
  const auto failed = failed_rules(format.rules, written_in, length, id);
  require((id.size() == length && is_written_in(written_in, id)) || !failed.empty(), "a wrong form is refused");
  for (const auto r : failed) require(to_string(r) != "unknown", "every failed rule has a name");
  if (failed.empty()) check_valid(format, id);
  return 0;
}
