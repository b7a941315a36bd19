/// The one door through which the rest of the program talks to the identifier actors. No CAF shows here.
/// Reads look at durable rows and pass no mailbox; changes go to the type's pool and wait for its answer.
#pragma once
#include "actors/caller.hpp"
#include "domain/identifiers/pool.hpp"
#include "domain/identifiers/type.hpp"
#include "foundation/trace.hpp"
#include "runtime/reply.hpp"
#include "storage/identifiers.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::actors {

struct type_context;

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
  std::uint64_t expired = 0, released = 0, retired = 0, reclaimed = 0;
};

/// What was taken back, in the order asked for.
struct reclaim_result {
  std::vector<std::string> ids;
  std::vector<std::uint32_t> assignments;
};

class id_door {
public:
  /// The contexts are what the actors share, one for each issuer of each type; their commit log and clocks must live
  /// longer.
  id_door(std::vector<std::shared_ptr<const type_context>> types, std::shared_ptr<runtime::reply_gate> gate);
  ~id_door();

  /// In the order of their names.
  [[nodiscard]] std::vector<const identifiers::id_type*> types() const;
  [[nodiscard]] const identifiers::id_type* find(std::string_view name) const noexcept;
  /// Whether every pool can hand out identifiers, or never will again.
  [[nodiscard]] result<void> ready() const;

  /// Of all issuers together, as all numbers here.
  [[nodiscard]] result<identifiers::pool_counters> counters(const identifiers::id_type& type) const;
  /// New limits take effect with the next look at the level.
  void set_limits(const identifiers::id_type& type, const identifiers::pool_limits& limits);
  /// Available identifiers in memory now.
  [[nodiscard]] identifiers::pool_level level(const identifiers::id_type& type) const;
  /// Valid identifiers found per second, over the last second to minute.
  [[nodiscard]] double refill_rate(const identifiers::id_type& type) const;
  /// Where the identifier with this text is kept, whether it was issued here or imported; nothing for what is none of
  /// the type and was not imported. Its record is absent when it was never issued. Errors: corrupt, io.
  [[nodiscard]] result<std::optional<storage::id_place>> locate(const identifiers::id_type& type,
                                                                std::string_view id) const;

  /// Under which counter that is, for a change. Nothing for what is none of the type and was not imported. Errors:
  /// corrupt, io.
  [[nodiscard]] result<std::optional<std::uint64_t>> counter_of(const identifiers::id_type& type,
                                                                std::string_view id) const;
  /// Whether `counter_of` or `begin_change` must read rows to know where an identifier of the type is: it may have been
  /// imported, or several issuers may have it.
  [[nodiscard]] bool reads_to_change(const identifiers::id_type& type) const;

  /// These block the calling thread until the answer or the deadline. After the deadline the outcome is unknown.
  [[nodiscard]] result<issue_result> issue(const identifiers::id_type& type, const issue_call& what, const caller& who);
  [[nodiscard]] result<identifiers::id_record> change(const identifiers::id_type& type, std::uint64_t counter,
                                                      identifiers::id_event event, std::uint32_t assignment,
                                                      const caller& who);
  [[nodiscard]] result<expiry_result> expire_due(const identifiers::id_type& type, const caller& who);
  /// Takes back those of an issuer that are still ISSUED under that assignment and were issued before `issued_before`.
  /// @param which at most `reclaims_max`
  [[nodiscard]] result<reclaim_result> reclaim(const identifiers::id_type& type, std::uint32_t issuer,
                                               const std::vector<identifiers::due_entry>& which,
                                               timestamp issued_before, const caller& who);
  static constexpr std::size_t reclaims_max = 100;

  /// Durable rows of an issuer, for queries.
  [[nodiscard]] result<std::shared_ptr<const storage::view>> rows(const identifiers::id_type& type,
                                                                  std::uint32_t issuer) const;
  /// Where the rows of the type's issuers are, in the order of their numbers.
  [[nodiscard]] std::span<const storage::id_partition> parts(const identifiers::id_type& type) const noexcept;
  /// Loads identifiers issued elsewhere, any number; what became of each. One that is on its way between issuers may
  /// come back as `elsewhere`, not loaded. After an error some may have been loaded: loading them again is harmless.
  [[nodiscard]] result<std::vector<identifiers::import_verdict>>
  import(const identifiers::id_type& type, const std::vector<identifiers::import_row>& rows, const caller& who);

  /// The same without waiting: `told` hears of the answer, perhaps before the call returns. Who asked keeps the
  /// deadline. A change may read rows first (see `reads_to_change`).
  [[nodiscard]] promised<issue_result> begin_issue(const identifiers::id_type& type, const issue_call& what,
                                                   const caller& who, runtime::reply_notice told);
  [[nodiscard]] promised<identifiers::id_record> begin_change(const identifiers::id_type& type, std::uint64_t counter,
                                                              identifiers::id_event event, std::uint32_t assignment,
                                                              const caller& who, runtime::reply_notice told);

private:
  /// A type with all its issuers.
  struct desk;
  [[nodiscard]] static bool imports_exist(const desk& at);
  [[nodiscard]] const desk& desk_of(const identifiers::id_type& type) const noexcept;
  [[nodiscard]] result<issue_result> issue_at(const type_context& cx, const issue_call& what, const caller& who) const;
  /// The issuers that have enough at hand, and the one that has most.
  struct candidates {
    std::vector<const type_context*> with_enough;
    const type_context* fullest;
  };
  [[nodiscard]] static candidates to_ask(const desk& at, std::uint32_t count);
  [[nodiscard]] static result<const type_context*> owner_of(const desk& at, std::uint64_t counter);
  [[nodiscard]] result<void> load(const desk& at, const std::vector<identifiers::import_row>& rows,
                                  const std::vector<std::vector<std::size_t>>& shares,
                                  std::vector<identifiers::import_verdict>& verdicts, const caller& who) const;
  template <class T>
  [[nodiscard]] result<T> wait(const std::shared_ptr<runtime::reply_cell<T>>& cell, const type_context& cx,
                               const caller& who) const;
  std::vector<std::unique_ptr<desk>> desks_; ///< in the order of their types' names
  std::shared_ptr<runtime::reply_gate> gate_;
};

} // namespace matricula::actors
