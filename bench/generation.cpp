#include "bench/scenarios.hpp"
#include "domain/identifiers/generator.hpp"
#include "domain/identifiers/profiles.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <stdexcept>

namespace matricula::bench {

using namespace identifiers;

namespace {

constexpr std::size_t slices = 9;
/// Counters of one walk, as many as the node's walkers go through in one.
constexpr std::uint64_t range = 16'384;

double thread_seconds() {
  timespec used{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

/// One type, looked through from its first counter on.
struct walk_of_type {
  identifier_space space;
  std::uint64_t counter = 0;
  std::uint64_t found = 0;
  std::vector<double> rates = {}; ///< identifiers per second of processor time, of each slice

  void run_slice(std::chrono::duration<double> duration) {
    std::vector<candidate> into;
    const auto began = thread_seconds();
    auto spent = 0.0;
    std::size_t here = 0;
    while (spent < duration.count()) {
      into.clear();
      counter = space.walk({.from = counter, .to = counter + range}, into);
      here += into.size();
      spent = thread_seconds() - began;
    }
    found += here;
    rates.push_back(static_cast<double>(here) / spent);
  }
};

walk_of_type type_of(std::string_view profile, std::size_t length) {
  const auto rules = find_profile(profile);
  const auto key = permutation_key::from_bytes(std::string(permutation_key::size, 'k'));
  if (!rules || !key) throw std::runtime_error("no such profile");
  auto space = identifier_space::make({alphabet::digits, length, *rules}, key->derive(profile), profile);
  if (!space) throw std::runtime_error(space.error().message);
  return {std::move(*space)};
}

void add(report& to, const char* name, const char* what, const walk_of_type& type, double asked) {
  const auto middle = median(type.rates);
  const auto [least, most] = std::ranges::minmax(type.rates);
  const auto share = static_cast<double>(type.found) / static_cast<double>(type.counter);
  to.add({name, middle, "/s", 0, target{bound::at_least, asked}});
  char text[160];
  std::snprintf(text, sizeof text,
                "%s: %zu slices, %.2f to %.2f of the median; %.2f %% of the counters valid, %.0f ns a counter", what,
                type.rates.size(), least / middle, most / middle, share * 100, 1e9 * share / middle);
  to.note(text);
}

} // namespace

void generation(const extent& how_long, report& to) {
  auto uin = type_of("mosip-uin", 10);
  auto vid = type_of("mosip-vid", 16);
  // In turns: what else runs on the machine meets both.
  for (std::size_t i = 0; i < slices; ++i)
    for (auto* type : {&uin, &vid}) type->run_slice(how_long.generation);
  to.begin("Generation alone, one processor (of its time, so that other load counts little)");
  add(to, "UINs of 10 digits (mosip-uin)", "UINs", uin, 500'000);
  add(to, "VIDs of 16 digits (mosip-vid)", "VIDs", vid, 150'000);
}

} // namespace matricula::bench
