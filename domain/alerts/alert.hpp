/// An alert: that something was found wrong, since when, and what was said about it. It is about one subject of one
/// rule, and there is one alert for that at a time.
#pragma once
#include "foundation/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::alerts {

enum class severity : std::uint8_t { warning = 1, critical };
[[nodiscard]] std::string_view to_string(severity s) noexcept;

/// What a rule, or somebody who watches something, says of one subject now. Texts go out to logs, mails and other
/// systems: they hold no personal data, identifier of a person or secret.
struct finding {
  static constexpr std::size_t rule_bytes_max = 64;
  static constexpr std::size_t subject_bytes_max = 128;
  static constexpr std::size_t text_bytes_max = 500;

  std::string rule;    ///< a stable name such as "queue_age"
  std::string subject; ///< what it is about: a worker type, an identifier type, a sink; empty: the node
  bool holds = true;   ///< false: it is not so, or no longer
  severity how = severity::warning;
  std::string text;                  ///< a sentence or two for people: what is wrong, what to do
  milliseconds after{0};             ///< it must hold for so long before anybody is told
  std::optional<milliseconds> quiet; ///< over when it was away for so long; nothing: as the book has it
  std::optional<milliseconds> lasts; ///< over when nobody speaks of it for so long; nothing: as the book has it
};

/// What a sink has not taken yet.
struct debt {
  std::string sink;
  bool first = false;
  bool recovery = false;
  bool operator==(const debt&) const = default;
};

struct alert {
  std::uint64_t id = 0; ///< counts up from 1
  std::string rule;
  std::string subject;
  severity how = severity::warning;
  std::string text;                  ///< of the last finding
  timestamp since;                   ///< it held first
  timestamp told_at;                 ///< the last notice
  std::uint32_t told = 0;            ///< notices while it lasted
  timestamp next_due;                ///< of the next notice
  std::uint32_t returns = 0;         ///< how often it went away and came back before it was over
  std::optional<timestamp> ended_at; ///< it held no longer
  bool unheard = false;              ///< over because nobody spoke of it any more
  std::optional<timestamp> acknowledged_at;
  std::string acknowledged_by;
  std::vector<debt> debts;
  bool operator==(const alert&) const = default;
};

enum class notice_kind : std::uint8_t { first = 1, repeat, recovery };
[[nodiscard]] std::string_view to_string(notice_kind k) noexcept;

/// What a sink is to pass on.
struct notice {
  notice_kind kind = notice_kind::first;
  alert about; ///< as it was when the notice became due
};

/// `text` as one line of valid UTF-8, cut to `bytes_max` at the end of a character: control characters become blanks,
/// bytes that are no UTF-8 become U+FFFD. So it can neither begin a header nor a line of its own anywhere.
[[nodiscard]] std::string one_line(std::string_view text, std::size_t bytes_max);

/// As a row.
[[nodiscard]] std::string encode(const alert& a);
/// Errors: corrupt.
[[nodiscard]] result<alert> decode_alert(std::string_view bytes);

} // namespace matricula::alerts
