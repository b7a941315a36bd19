/// The one door through which the rest of the program talks to the identifier actors. No CAF shows here.
/// Reads look at durable rows and pass no mailbox; changes go to the type's pool and wait for its answer.
#pragma once
#include "domain/identifiers/pool.hpp"
#include "domain/identifiers/type.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::actors {

struct type_context;

/// Who asks, and until when the answer is of use (monotonic clock).
struct caller {
  std::string principal;
  trace_context trace;
  std::chrono::nanoseconds deadline{0};
};

struct issue_call {
  std::uint32_t count = 1;
  std::optional<timestamp> expires_at;
  std::string holder;          ///< at most 64 bytes
  std::string idempotency_ref; ///< 16 bytes, or empty
  std::string fingerprint;     ///< 32 bytes with a reference
};

struct issue_result {
  identifiers::issued_ids issued;
  bool replayed = false;
};

struct expiry_result {
  std::uint64_t expired = 0, released = 0, retired = 0;
};

/// Gives the answer of a call that nobody waits for: once the listener was told, or errc::outcome_unknown when the
/// deadline has passed before. To be called once.
template <class T>
using promised = std::function<result<T>()>;

class id_door {
public:
  /// The contexts are what the actors share; their commit log and clocks must live longer.
  id_door(std::vector<std::shared_ptr<const type_context>> types, std::shared_ptr<runtime::reply_gate> gate);
  ~id_door();

  /// In the order of their names.
  [[nodiscard]] std::vector<const identifiers::id_type*> types() const;
  [[nodiscard]] const identifiers::id_type* find(std::string_view name) const noexcept;
  /// Whether every pool can hand out identifiers, or never will again.
  [[nodiscard]] result<void> ready() const;

  [[nodiscard]] result<identifiers::pool_counters> counters(const identifiers::id_type& type) const;
  /// New limits take effect with the next look at the level.
  void set_limits(const identifiers::id_type& type, const identifiers::pool_limits& limits);
  /// Available identifiers in memory now.
  [[nodiscard]] identifiers::pool_level level(const identifiers::id_type& type) const;
  /// Valid identifiers found per second, over the last second to minute.
  [[nodiscard]] double refill_rate(const identifiers::id_type& type) const;
  /// The record, nothing when it was never issued. Errors: corrupt, io.
  [[nodiscard]] result<std::optional<identifiers::id_record>> look_up(const identifiers::id_type& type,
                                                                      std::uint64_t counter) const;

  /// These three block the calling thread until the answer or the deadline. After the deadline the outcome is unknown.
  [[nodiscard]] result<issue_result> issue(const identifiers::id_type& type, const issue_call& what, const caller& who);
  [[nodiscard]] result<identifiers::id_record> change(const identifiers::id_type& type, std::uint64_t counter,
                                                      identifiers::id_event event, std::uint32_t assignment,
                                                      const caller& who);
  [[nodiscard]] result<expiry_result> expire_due(const identifiers::id_type& type, const caller& who);

  /// The same without waiting: `told` hears of the answer, perhaps before the call returns. Who asked keeps the
  /// deadline.
  [[nodiscard]] promised<issue_result> begin_issue(const identifiers::id_type& type, const issue_call& what,
                                                   const caller& who, runtime::reply_notice told);
  [[nodiscard]] promised<identifiers::id_record> begin_change(const identifiers::id_type& type, std::uint64_t counter,
                                                              identifiers::id_event event, std::uint32_t assignment,
                                                              const caller& who, runtime::reply_notice told);

private:
  struct meter;
  [[nodiscard]] const type_context& context(const identifiers::id_type& type) const noexcept;
  template <class T>
  [[nodiscard]] result<T> wait(const std::shared_ptr<runtime::reply_cell<T>>& cell, const type_context& cx,
                               const caller& who) const;
  std::vector<std::shared_ptr<const type_context>> types_;
  std::vector<std::unique_ptr<meter>> meters_; ///< by type, in the order of types_
  std::shared_ptr<runtime::reply_gate> gate_;
};

} // namespace matricula::actors
