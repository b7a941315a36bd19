// Settings from anywhere: whatever the bytes, `load` returns; what it accepts can be shown and loads again to the same.
// The input is the file; a line that begins with '!' is a --set and one with '$' a variable of the environment.
#include "config/report.hpp"
#include "foundation/error.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

matricula::config::sources sources_from(std::string_view input) {
  matricula::config::sources from;
  std::string file;
  while (!input.empty()) {
    const auto line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(line.size() + 1, input.size()));
    if (line.starts_with('!')) {
      from.sets.emplace_back(line.substr(1));
    } else if (line.starts_with('$')) {
      const auto equals = std::min(line.find('='), line.size());
      from.environment.emplace_back(line.substr(1, equals - 1), line.substr(std::min(equals + 1, line.size())));
    } else {
      file.append(line).push_back('\n');
    }
  }
  from.file = matricula::config::file_text{"fuzz.toml", std::move(file)};
  return from;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace matricula::config;
  const auto outcome = load(sources_from({reinterpret_cast<const char*>(data), size}));
  (void)check_report(outcome);
  if (!outcome) return 0;
  auto expected = outcome->values;
  expected.identifiers.key.clear(); // is not shown
  const auto again = load(sources{file_text{"shown.toml", show_report(*outcome)}, {}, {}});
  matricula::require(again && again->values == expected, "shown settings load again to the same");
  (void)diff_reload(defaults(), outcome->values);
  return 0;
}
