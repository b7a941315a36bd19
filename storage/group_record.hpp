/// One group commit: its running number, its time and the chain hash over everything written so far.
#pragma once
#include "foundation/clock.hpp"
#include "foundation/error.hpp"
#include "storage/column.hpp"
#include "storage/digest_stream.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace matricula::storage {

struct group_record {
  static constexpr std::size_t chain_bytes = 32;
  std::uint64_t number = 0; ///< 0 = nothing was ever written; numbers never repeat, gaps mean an accepted loss
  timestamp at;             ///< never before the group before it
  std::string chain = std::string(chain_bytes, '\0');
  bool operator==(const group_record&) const = default;
};

[[nodiscard]] std::string encode(const group_record& r);
/// Errors: corrupt.
[[nodiscard]] result<group_record> decode_group_record(std::string_view bytes);

/// Rows of the node itself live in column `meta` under this first byte, which is no shard's: they are neither exported
/// with a shard nor written by a batch.
inline constexpr char node_prefix = '\xff';
inline constexpr std::string_view format_key{"\xff"
                                             "format"};
inline constexpr std::string_view node_id_key{"\xff"
                                              "node_id"};
inline constexpr std::string_view incarnation_key{"\xff"
                                                  "incarnation"};
inline constexpr std::string_view group_key{"\xff"
                                            "group"};

/// Computes the chain of the next group: SHA-256 over the previous chain, the number, the time and the operations.
class chain_hash {
public:
  chain_hash(std::string_view previous, std::uint64_t number, timestamp at);
  /// @param operations as `batch::encoded` gives them; how they are cut into calls makes no difference.
  void add(std::string_view operations) { digest_.add(operations); }
  [[nodiscard]] std::string finish() { return digest_.finish(); }

private:
  digest_stream digest_;
};

} // namespace matricula::storage
