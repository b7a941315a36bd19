/// Messages that crashed their actor: GET /v1/dead-letters, GET .../{id}, POST .../{id}/replay, POST .../{id}/discard.
#pragma once
#include "api/audit.hpp"
#include "api/route.hpp"
#include "foundation/clock.hpp"
#include "runtime/dead_letters.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::actors {
class dead_letter_office;
}

namespace matricula::api {

/// A dead letter as it is kept. Its reason and payload are content: shown to the scope dead-letters:content only.
struct kept_dead_letter {
  std::string id;
  runtime::dead_letter letter;
  bool replayed = false;
};

struct dead_letter_query {
  std::string actor;  ///< a path; also those below it. Empty: all
  std::string cursor; ///< from the page before; empty: the first
  std::size_t items_max = 100;
};

struct dead_letter_page {
  std::vector<kept_dead_letter> items; ///< oldest first; payloads may be left out
  std::string next_cursor;             ///< empty on the last page
};

/// What the routes need of whoever keeps them. Thread safe; waits no longer than the deadline (monotonic).
class dead_letter_desk {
public:
  virtual ~dead_letter_desk() = default;
  /// Errors: invalid_argument (the cursor).
  [[nodiscard]] virtual result<dead_letter_page> list(const dead_letter_query& query) const = 0;
  /// Errors: not_found.
  [[nodiscard]] virtual result<kept_dead_letter> find(std::string_view id) const = 0;
  /// Sends it to its actor again, once: a second replay is a conflict. Durable before it returns.
  /// Errors: not_found, conflict (not replayable, replayed already), unavailable, deadline_exceeded.
  [[nodiscard]] virtual result<void> replay(std::string_view id, std::chrono::nanoseconds deadline) = 0;
  /// Forgets it. Errors: not_found, unavailable, deadline_exceeded.
  [[nodiscard]] virtual result<void> discard(std::string_view id, std::chrono::nanoseconds deadline) = 0;
};

/// The desk must live longer than the routes.
/// The desk over the office that keeps them, which must live longer.
[[nodiscard]] std::unique_ptr<dead_letter_desk> make_dead_letter_desk(actors::dead_letter_office& office,
                                                                      const clock& time);

[[nodiscard]] std::vector<route> dead_letter_routes(dead_letter_desk& letters, audit_hook audit);

} // namespace matricula::api
