/// What a group of batches comes to: of each row the last operation. Rows such as a type's counters stand in every
/// batch; what all but the last would write is seen by nobody, for a group is applied as a whole or not at all.
#pragma once
#include "storage/column.hpp"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace matricula::storage {

class net_operations {
public:
  struct operation {
    column where;
    bool put = false; ///< else it erases the row
    bool superseded = false;
    std::string_view key;
    std::string_view value;
    std::string_view encoded; ///< all of it, as in the batch
  };

  /// Takes batches in their order, as `batch::encoded` gives them; forgets those of the call before. Their bytes are to
  /// stay where they are as long as the operations are looked at. False when one is malformed.
  [[nodiscard]] bool assign(std::span<const std::string_view> batches);

  /// In order. Those that are not superseded are the net ones.
  [[nodiscard]] std::span<const operation> all() const noexcept { return operations_; }

private:
  void mark_superseded();

  std::vector<operation> operations_;
  /// Open addressing: 1 + the place of an operation, 0 where none is. At least twice as many as operations.
  std::vector<std::uint32_t> slots_;
};

} // namespace matricula::storage
