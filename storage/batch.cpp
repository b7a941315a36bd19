#include "storage/batch.hpp"

namespace matricula::storage {

namespace {
byte_writer& begin_operation(byte_writer& data, std::uint8_t kind, column where, std::string_view key) {
  return data.u8(kind).u8(static_cast<std::uint8_t>(where)).text(key);
}
} // namespace

void batch::put(column where, std::string_view key, std::string_view value) {
  require(!key.empty() && static_cast<std::uint8_t>(key.front()) == shard_.value,
          "a key starts with its batch's shard");
  begin_operation(data_, 1, where, key).text(value);
  ++operations_;
}

void batch::erase(column where, std::string_view key) {
  require(!key.empty() && static_cast<std::uint8_t>(key.front()) == shard_.value,
          "a key starts with its batch's shard");
  begin_operation(data_, 2, where, key);
  ++operations_;
}

} // namespace matricula::storage
