/// OpenG2P's own tables: the two generations of its queue as one set of statements, and the table of registrants.
#pragma once
#include "connectors/postgres/connection.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::connectors::postgres {

enum class table_kind : std::uint8_t {
  background_task, ///< g2p_que_background_task: a row for each step
  id_generation,   ///< g2p_que_id_generation, older: a row for each registrant, with a status for each step
};
enum class task_step : std::uint8_t { request, update };
[[nodiscard]] std::string_view to_string(task_step s) noexcept;

struct table_options {
  table_kind kind = table_kind::background_task;
  std::string tasks = "g2p_que_background_task"; ///< NAME or SCHEMA.NAME, as `is_table_name` takes it
  std::string registrants = "res_partner";
  std::string id_column = "unique_id"; ///< of the registrants; "ref_id" in older ones
  std::string request_worker_type = "id_generation_request_worker";
  std::string update_worker_type = "id_generation_update_worker";
};

/// Whether it is NAME or SCHEMA.NAME: letters, digits and underscores, no digit first, 63 bytes at most each.
[[nodiscard]] bool is_table_name(std::string_view name) noexcept;

/// The statements of one step. Parameters are named in the comments. Rows of the bridge's own that they touch are those
/// of this table and step.
struct step_statements {
  std::string claim_new;      ///< owner, lease in ms, at most so many: the oldest that nobody began -> ids
  std::string claim_due;      ///< the same: those that are due again, or whose owner is gone -> ids
  std::string lock;           ///< task -> whether PENDING, attempts, payload or registrant as text
  std::string complete;       ///< task -> attempts
  std::string try_failed;     ///< task, status, error -> attempts; only while PENDING, as the two before and after
  std::string note_interrupt; ///< task, error -> attempts
  std::string forget;         ///< at most so many: removes own rows of tasks that are not PENDING, or gone
  std::string counts;         ///< -> PENDING, FAILED, seconds since the oldest PENDING was queued
};

class task_table {
public:
  /// Looks at the tables. Errors: refused, when a table, a column or a right is missing; the message says which.
  [[nodiscard]] static sql_result<task_table> look_up(connection& on, const table_options& options);

  [[nodiscard]] const step_statements& of(task_step s) const { return steps_.at(static_cast<std::size_t>(s)); }
  [[nodiscard]] table_kind kind() const noexcept { return kind_; }
  /// SCHEMA.NAME: its name in the bridge's own rows.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// As SQL takes it.
  [[nodiscard]] const std::string& quoted() const noexcept { return quoted_; }
  /// SCHEMA.TABLE.COLUMN of the registrants' identifiers.
  [[nodiscard]] const std::string& subject() const noexcept { return subject_; }
  /// Whether an index finds the tasks that are not finished, and a unique one protects the registrants' identifiers.
  [[nodiscard]] bool has_status_index() const noexcept { return status_index_; }
  [[nodiscard]] bool has_unique_index() const noexcept { return unique_index_; }

  std::string read_registrant; ///< registrant -> identifier ("" when none)
  std::string lock_registrant; ///< the same, and nobody changes it until the transaction ends
  std::string find_holder;     ///< identifier, registrant -> another registrant that has it
  std::string give;            ///< registrant, identifier: only where it has none
  std::string queue_update;    ///< registrant: adds the task of the second step; empty in the older generation
  std::string has_update;      ///< registrant -> a row when there is such a task
  std::string refuse_unknown;  ///< at most so many: FAILED, for other worker types; empty in the older generation

private:
  task_table() = default;

  std::array<step_statements, 2> steps_;
  table_kind kind_ = table_kind::background_task;
  std::string name_, quoted_, subject_;
  bool status_index_ = false;
  bool unique_index_ = false;
};

} // namespace matricula::connectors::postgres
