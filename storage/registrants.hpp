/// The rows of registrants and of calls of generators. They lie in the shard of the tasks and have the same writer, so
/// that a registrant and its task change in one batch. Keys, after the shard, by kind:
///   row        number                 the registrant
///   data       number                 what the client keeps with it, as it was sent
///   reference  SHA-256 of both texts  its number, by its tenant and its reference
///   unique_id  unique ID              its number: no two registrants have the same one
///   call       registrant             the number of its call that is open or answered
///   log        call's number          the call
///   doubt      call's number          a call that is in doubt
///   next                              the next numbers, how many calls are in doubt, how many registrants there are
#pragma once
#include "domain/registrants/generator_call.hpp"
#include "domain/registrants/registrant.hpp"
#include "storage/inspect.hpp"
#include "storage/tasks.hpp"
#include "storage/verify.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage {

struct registrant_partition {
  shard_id shard;

  [[nodiscard]] std::string row_key(std::uint64_t id) const;
  [[nodiscard]] std::string data_key(std::uint64_t id) const;
  [[nodiscard]] std::string reference_key(std::string_view tenant, std::string_view reference) const;
  [[nodiscard]] std::string unique_id_key(std::string_view unique_id) const;
  [[nodiscard]] std::string call_key(std::uint64_t registrant) const;
  [[nodiscard]] std::string log_key(std::uint64_t call) const;
  [[nodiscard]] std::string doubt_key(std::uint64_t call) const;
  [[nodiscard]] std::string next_key() const;
};
/// Where those are whose tasks are there.
[[nodiscard]] inline registrant_partition registrants_of(const task_partition& tasks) { return {tasks.shard}; }

struct registrant_numbers {
  std::uint64_t next_id = 1;
  std::uint64_t next_call = 1;
  std::uint64_t in_doubt = 0; ///< calls that are
  std::uint64_t created = 0;  ///< registrants, ever
  bool operator==(const registrant_numbers&) const = default;
};

/// Errors of all of these: corrupt, io.
[[nodiscard]] result<std::optional<registrants::registrant>>
find_registrant(const row_reader& rows, const registrant_partition& part, std::uint64_t id);
/// Empty: there is none.
[[nodiscard]] result<std::string> find_registrant_data(const row_reader& rows, const registrant_partition& part,
                                                       std::uint64_t id);
/// The number that a row of `reference`, `unique_id` or `call` holds.
[[nodiscard]] result<std::optional<std::uint64_t>> find_number(const row_reader& rows, const std::string& key);
[[nodiscard]] result<std::optional<registrants::generator_call>>
find_call(const row_reader& rows, const registrant_partition& part, std::uint64_t number);
[[nodiscard]] result<registrant_numbers> find_registrant_numbers(const row_reader& rows,
                                                                 const registrant_partition& part);

void put_registrant(batch& into, const registrant_partition& part, const registrants::registrant& r);
void put_number(batch& into, const std::string& key, std::uint64_t number);
void put_call(batch& into, const registrant_partition& part, const registrants::generator_call& c);
void put_registrant_numbers(batch& into, const registrant_partition& part, const registrant_numbers& n);

/// At most `limit` from the number `from` on.
[[nodiscard]] result<std::vector<registrants::registrant>>
list_registrants(const view& v, const registrant_partition& part, std::uint64_t from, std::size_t limit);
/// The same of calls; with `in_doubt` only those that are.
[[nodiscard]] result<std::vector<registrants::generator_call>>
list_calls(const view& v, const registrant_partition& part, bool in_doubt, std::uint64_t from, std::size_t limit);

/// Index rows against registrants, calls against both, registrants against their tasks.
class registrants_verifier final : public verifier {
public:
  [[nodiscard]] std::string_view name() const noexcept override { return "registrants"; }
  void check(const view& rows, verify_report& report) const override;
};

/// For tools. Shows no reference, no unique ID and no data: those are given by their length.
void add_registrant_decoder(row_decoders& to);

} // namespace matricula::storage
