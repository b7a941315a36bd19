/// The bridge's own rows about calls for identifiers: what was asked, what came, what is in doubt.
#pragma once
#include "connectors/postgres/connection.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::connectors::postgres {

enum class call_state : std::uint8_t { calling, answered, applied, ended };

struct call_row {
  std::int64_t number = 0;
  call_state state = call_state::ended;
  bool live = false; ///< calling, and its owner's time is not over
  std::string generator;
  std::string identifier;
  std::int64_t collisions = 0; ///< identifiers that came for the registrant and were another's
};

/// An identifier that was consumed and that no registrant got from this call, or may have been.
struct doubt {
  std::int64_t call_number = 0;
  std::string subject; ///< the registrants' table and column
  std::int64_t registrant = 0;
  std::string generator;
  std::string owner;      ///< which bridge called
  std::string called_at;  ///< RFC 3339
  std::string listed_at;  ///< RFC 3339
  std::string reason;     ///< a sentence
  std::string identifier; ///< empty: it is not known whether there is one
};

/// All but `list_doubts` are for use inside a transaction.
class call_book {
public:
  /// @param subject what identifiers are for: two columns, or tables of registrants, have nothing to do with each other
  call_book(connection& on, std::string subject, std::string owner, std::string generator)
      : on_(on), subject_(std::move(subject)), owner_(std::move(owner)), generator_(std::move(generator)) {}

  /// The registrant's row, made if there is none; nobody else gets at it until the transaction ends.
  [[nodiscard]] sql_result<call_row> lock(std::int64_t registrant);
  /// Notes that a call is about to be made. Returns its number.
  [[nodiscard]] sql_result<std::int64_t> begin(std::int64_t registrant, milliseconds lease);
  /// Notes the identifier that came. False when the call is not this bridge's any more.
  [[nodiscard]] sql_result<bool> answered(std::int64_t registrant, std::int64_t number, std::string_view identifier);
  /// The registrant has it.
  [[nodiscard]] sql_result<void> applied(std::int64_t registrant);
  /// The call is over and there is no identifier from it. False when that was so before, or it is not ours any more.
  [[nodiscard]] sql_result<bool> ended(std::int64_t registrant, std::int64_t number);
  /// Lists the registrant's last call as in doubt and ends it.
  [[nodiscard]] sql_result<void> doubt_last(std::int64_t registrant, std::string_view reason);
  /// What came for the registrant was another's identifier.
  [[nodiscard]] sql_result<void> collided(std::int64_t registrant);
  /// An answer that came after the call was listed. Of one that is not listed nothing is written.
  [[nodiscard]] sql_result<void> late_answer(std::int64_t number, std::string_view identifier);
  /// Lists and ends the calls of this generator whose owner is gone, at most so many. Returns how many.
  [[nodiscard]] sql_result<std::uint64_t> doubt_abandoned(std::uint32_t at_most);

private:
  connection& on_;
  std::string subject_;
  std::string owner_;
  std::string generator_;
};

struct doubt_counts {
  std::uint64_t unknown = 0; ///< calls whose effect is not known
  std::uint64_t unused = 0;  ///< identifiers that are known and not used
};
[[nodiscard]] sql_result<doubt_counts> count_doubts(connection& on);
/// In the order of call numbers, beginning after `after`. @param at_most 1 to 10,000
[[nodiscard]] sql_result<std::vector<doubt>> list_doubts(connection& on, std::int64_t after, std::uint32_t at_most);

} // namespace matricula::connectors::postgres
