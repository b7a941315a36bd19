/// Rows that are written from outside of any actor: dead letters, operators' acts, last runs, what a start must note.
/// One tenure, one write at a time, in the order of asking; from any thread.
#pragma once
#include "storage/commit_log.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace matricula::storage {

class notebook {
public:
  static constexpr std::size_t waiting_max = 1'000;

  /// Asks for the tenure at once. The log must live longer; what is not written when it ends completes `unavailable`.
  /// @param partition unique among the writers of the shard
  notebook(commit_log& log, shard_id shard, std::string partition);
  ~notebook();
  notebook(const notebook&) = delete;
  notebook& operator=(const notebook&) = delete;

  /// Fills the batch from what is durable, every earlier write of this notebook included; its error cancels the write.
  /// An empty batch is not written. It runs on the caller's or the commit log's thread.
  using composer = std::move_only_function<result<void>(const view& rows, batch& to)>;

  /// `settled` gets the composer's error, or overloaded (too much is waiting), storage_full, unavailable,
  /// outcome_unknown; nothing was written after the first four.
  void write(composer compose, completion<result<void>> settled);
  /// The same for a thread that may block; not for actors. After `at_most` it is outcome_unknown: it may still be done.
  /// `settled` hears the true outcome, even then.
  [[nodiscard]] result<void> write_and_wait(composer compose, std::chrono::milliseconds at_most,
                                            completion<result<void>> settled = nullptr);

  [[nodiscard]] shard_id shard() const noexcept;
  [[nodiscard]] result<std::shared_ptr<const view>> rows() const;

private:
  struct desk;
  std::shared_ptr<desk> desk_;
};

} // namespace matricula::storage
