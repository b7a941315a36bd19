/// The node's store: every row of the node on one disk, written by groups that are synced, numbered and chained.
/// Only the engine `local` (local_log.hpp) writes to an open store; everybody else appends to the commit log.
#pragma once
#include "storage/batch.hpp"
#include "storage/group_record.hpp"
#include "storage/mark_file.hpp"
#include "storage/store_options.hpp"
#include "storage/view.hpp"

#include <memory>
#include <optional>
#include <span>
#include <string>

namespace matricula::storage {

class store {
public:
  /// Opens or makes the store. Before anything is changed it is read without writing, and the start is refused when
  /// - acknowledged groups are missing (corrupt; see mark_file.hpp). The message names them and the ways forward;
  /// - the format is newer than this build (unsupported);
  /// - another process has it open (conflict);
  /// - it was only half restored, or its files are damaged (corrupt).
  /// A refused start leaves every byte of the write-ahead log as it was.
  [[nodiscard]] static result<std::unique_ptr<store>> open(store_options options);
  ~store();
  store(const store&) = delete;
  store& operator=(const store&) = delete;

  /// Writes the batches as one group: all or none, synced and then marked. Serialised; blocks for the sync.
  /// After an error nobody may write or read again: the store is dead and the process should end.
  [[nodiscard]] result<group_record> commit(std::span<const batch* const> batches, timestamp at);

  /// One moment. @see view
  [[nodiscard]] std::shared_ptr<const view> snapshot() const;
  /// Always the present; cheaper than a snapshot when one row is asked for.
  [[nodiscard]] std::shared_ptr<const view> latest() const;

  [[nodiscard]] bool dead() const noexcept;
  [[nodiscard]] group_record last_group() const;
  /// When the last group was written by whoever uses the store, for a decision clock to start from: opening the store
  /// does not change it.
  [[nodiscard]] timestamp last_durable_time() const { return last_group().at; }
  /// Made once, at random, when the store is made: 32 hexadecimal digits.
  [[nodiscard]] const std::string& node_id() const noexcept;
  /// How often the store has been opened for writing; 0 when read only.
  [[nodiscard]] std::uint64_t incarnation() const noexcept;
  [[nodiscard]] std::uint32_t format() const noexcept;
  [[nodiscard]] const std::string& directory() const noexcept;
  /// What the mark file said when the store was opened.
  [[nodiscard]] const std::optional<mark>& mark_at_open() const noexcept;

  /// Makes the directory `target` (which must not exist) a copy of this moment, by hard links where possible.
  [[nodiscard]] result<void> checkpoint(const std::string& target) const;
  /// Reads every table file and compares its checksums. Errors: corrupt, io.
  [[nodiscard]] result<void> verify_checksums() const;
  /// How many groups of the write-ahead log were recomputed and followed from the one before, when it was opened.
  [[nodiscard]] std::uint64_t groups_chained() const noexcept;
  /// Writes the memtables to tables. For tests and before a backup.
  [[nodiscard]] result<void> flush();

private:
  struct impl;
  explicit store(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

} // namespace matricula::storage
