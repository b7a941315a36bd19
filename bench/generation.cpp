#include "bench/scenarios.hpp"
#include "domain/identifiers/generator.hpp"
#include "domain/identifiers/profiles.hpp"

#include <ctime>
#include <stdexcept>

namespace matricula::bench {

using namespace identifiers;

namespace {

double thread_seconds() {
  timespec used{};
  (void)::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

/// Identifiers per second of processor time, found in ranges as the node's walkers look through them.
double found_per_second(std::string_view profile, std::size_t length, std::chrono::milliseconds duration) {
  constexpr std::uint64_t range = 16'384;
  const auto rules = find_profile(profile);
  const auto key = permutation_key::from_bytes(std::string(permutation_key::size, 'k'));
  if (!rules || !key) throw std::runtime_error("no such profile");
  const auto space = identifier_space::make({alphabet::digits, length, *rules}, key->derive(profile), profile);
  if (!space) throw std::runtime_error(space.error().message);
  const auto wanted = std::chrono::duration<double>(duration).count();
  std::vector<candidate> found;
  std::size_t count = 0;
  std::uint64_t counter = 0;
  const auto began = thread_seconds();
  auto spent = 0.0;
  while (spent < wanted) {
    found.clear();
    counter = space->walk({.from = counter, .to = counter + range}, found);
    count += found.size();
    spent = thread_seconds() - began;
  }
  return static_cast<double>(count) / spent;
}

} // namespace

void generation(const extent& how_long, report& to) {
  to.begin("Generation alone, one processor");
  to.add({"UINs of 10 digits (mosip-uin)", found_per_second("mosip-uin", 10, how_long.generation), "/s"});
  to.add({"VIDs of 16 digits (mosip-vid)", found_per_second("mosip-vid", 16, how_long.generation), "/s"});
}

} // namespace matricula::bench
