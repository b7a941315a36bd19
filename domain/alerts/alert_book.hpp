/// Which alerts are open, since when, and whom to tell what now. Findings go in, notices come out: the first when
/// something is found wrong, further ones at growing intervals while it lasts, the last when it is over. Pure: time
/// comes in with every call.
#pragma once
#include "domain/alerts/alert.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace matricula::alerts {

/// The wall clock is for people and for what is true after a restart; intervals run on the monotonic one.
struct moment {
  timestamp wall;
  std::chrono::nanoseconds steady{0};
};

struct rhythm {
  milliseconds repeat_first{std::chrono::minutes{10}}; ///< from the first notice to the second; doubles with each
  milliseconds repeat_most{std::chrono::hours{24}};
  milliseconds quiet{std::chrono::seconds{60}}; ///< an alert is over when its condition was away for so long
  milliseconds lasts{std::chrono::hours{1}};    ///< and when nobody spoke of it for so long
  milliseconds kept{std::chrono::days{30}};     ///< how long an alert that is over is kept
};
/// From notice `told` to the next. @param told from 1
[[nodiscard]] milliseconds interval_after(const rhythm& r, std::uint32_t told) noexcept;

class alert_book {
public:
  static constexpr std::size_t open_max = 500;  ///< a finding beyond it is only counted
  static constexpr std::size_t ended_max = 500; ///< the oldest are forgotten beyond it

  /// @param sinks names of those that hear of everything
  alert_book(rhythm r, std::vector<std::string> sinks);

  /// Goes on with what was written before: nothing is told earlier than it would have been. What sinks have not taken
  /// is among the news.
  void load(std::vector<alert> known, std::uint64_t next_id, moment now);

  void take(const finding& what, moment now);
  /// Time passes: brings what is due.
  void look(moment now);
  /// No notice any more until it is over. Saying it again changes nothing. Errors: not_found, conflict (it is over).
  [[nodiscard]] result<alert> acknowledge(std::uint64_t id, std::string_view who, moment now);
  /// The sink has passed it on, or never will.
  void settled(std::uint64_t id, std::string_view sink, notice_kind kind);

  /// What has changed since the last call: rows to write, or to erase where there is no such alert any more, then what
  /// sinks are to be told.
  struct news {
    std::set<std::uint64_t> changed;
    std::vector<std::pair<notice, std::vector<std::string>>> notices; ///< with the sinks that are to hear of it
    [[nodiscard]] bool empty() const noexcept { return changed.empty() && notices.empty(); }
  };
  [[nodiscard]] news take_news() { return std::exchange(news_, {}); }

  [[nodiscard]] const alert* find(std::uint64_t id) const;
  /// Open and over, by number.
  [[nodiscard]] const std::map<std::uint64_t, alert>& all() const noexcept { return alerts_; }
  [[nodiscard]] std::uint64_t next_id() const noexcept { return next_id_; }
  /// Findings that were lost to the bound.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }

private:
  using nanoseconds = std::chrono::nanoseconds;
  /// A condition that holds, or was last heard to.
  struct condition {
    std::uint64_t id = 0; ///< of its alert; 0: nobody was told yet
    finding last;
    timestamp since;
    nanoseconds held_since{0};
    nanoseconds heard_at{0};
    nanoseconds next_due{0};
    struct absence {
      timestamp wall;
      nanoseconds steady{0};
    };
    std::optional<absence> away;
  };
  void open(condition& c, moment now);
  void tell(alert& a, condition& c, notice_kind kind, moment now);
  void end(condition& c, timestamp at, bool unheard);
  /// Whether the condition is over and may be forgotten.
  [[nodiscard]] bool pass(condition& c, moment now);
  void forget_old(moment now);

  rhythm rhythm_;
  std::vector<std::string> sinks_;
  std::map<std::pair<std::string, std::string>, condition> conditions_; ///< by rule and subject
  std::map<std::uint64_t, alert> alerts_;
  std::uint64_t next_id_ = 1;
  std::uint64_t refused_ = 0;
  news news_;
};

} // namespace matricula::alerts
