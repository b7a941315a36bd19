/// What is said to the alerts.
#pragma once
#include "actors/request_context.hpp"
#include "domain/alerts/alert.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <string>

namespace matricula::actors {

/// Anybody who watches something -> alerts: this is wrong, or no longer. Whoever says that something is wrong says it
/// again at least every half hour while it is, or gives `lasts_ms`. May come any number of times.
struct observe_condition {
  static constexpr bool replayable = true;
  std::string rule;
  std::string subject;
  std::string text;
  bool holds = true;
  std::uint8_t how = 1;      ///< alerts::severity
  std::int64_t after_ms = 0; ///< it must hold for so long before anybody is told
  std::int64_t quiet_ms = 0; ///< 0: as the settings have it
  std::int64_t lasts_ms = 0; ///< likewise
};

/// api -> alerts: be quiet about it until it is over.
struct acknowledge_alert {
  trace_context trace;
  request_context context;
  std::uint64_t id = 0;
  runtime::reply_to<alerts::alert> reply;
};

/// A sink -> alerts: it has passed the notice on, or never will.
struct notice_settled {
  static constexpr bool replayable = true;
  std::uint64_t id = 0;
  std::uint8_t kind = 0; ///< alerts::notice_kind
  std::string sink;
};

inline std::size_t approximate_size(const observe_condition& m) {
  return sizeof(m) + m.rule.size() + m.subject.size() + m.text.size();
}

template <class I>
typename I::result_type inspect(I& f, observe_condition& x) {
  return f(caf::meta::type_name("observe_condition"), x.rule, x.subject, x.text, x.holds, x.how, x.after_ms, x.quiet_ms,
           x.lasts_ms);
}
template <class I>
typename I::result_type inspect(I& f, acknowledge_alert& x) {
  return f(caf::meta::type_name("acknowledge_alert"), x.trace, x.context, x.id, x.reply);
}
template <class I>
typename I::result_type inspect(I& f, notice_settled& x) {
  return f(caf::meta::type_name("notice_settled"), x.id, x.kind, x.sink);
}

} // namespace matricula::actors
