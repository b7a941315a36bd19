/// How this node's own pools are asked for one identifier for somebody, and what their refusals mean: alike for
/// registrants and for bridges.
#pragma once
#include "actors/identifiers/door.hpp"
#include "domain/registrants/id_generator.hpp"
#include "storage/idempotency.hpp"

#include <cstdint>

namespace matricula::actors {

/// An identifier that was taken back before anybody had it is asked for again, in the next round. They begin at 1.
inline constexpr std::uint32_t pool_rounds_max = 100;
/// When to ask again that has no more to give; of other refusals the pool may say it, or the caller knows best.
inline constexpr milliseconds exhausted_again{60'000};

/// The same call gives the same identifier; each round is another call. @param whose its key names who it is for
[[nodiscard]] issue_call pool_call(const storage::idempotency::owner& whose, const identifiers::id_type& type,
                                   std::uint32_t round);

/// Never `unknown`: a call that failed midway is repeated with the same request and has its effect once.
[[nodiscard]] registrants::call_outcome outcome_of_refusal(errc why) noexcept;

} // namespace matricula::actors
