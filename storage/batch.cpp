#include "storage/batch.hpp"

namespace matricula::storage {

namespace {
void begin_operation(std::string& data, char kind, column where, std::string_view key) {
  byte_writer head;
  head.u8(static_cast<std::uint8_t>(kind)).u8(static_cast<std::uint8_t>(where)).text(key);
  data.append(head.str());
}
} // namespace

void batch::put(column where, std::string_view key, std::string_view value) {
  require(!key.empty() && static_cast<std::uint8_t>(key.front()) == shard_.value,
          "a key starts with its batch's shard");
  begin_operation(data_, 1, where, key);
  byte_writer length;
  length.varint(value.size());
  data_.append(length.str()).append(value);
  ++operations_;
}

void batch::erase(column where, std::string_view key) {
  require(!key.empty() && static_cast<std::uint8_t>(key.front()) == shard_.value,
          "a key starts with its batch's shard");
  begin_operation(data_, 2, where, key);
  ++operations_;
}

} // namespace matricula::storage
