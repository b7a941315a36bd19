#include "storage/net_operations.hpp"

#include "storage/batch.hpp"

#include <algorithm>
#include <bit>
#include <functional>

namespace matricula::storage {

bool net_operations::assign(std::span<const std::string_view> batches) {
  operations_.clear();
  for (const auto batch_bytes : batches) {
    const char* begin = batch_bytes.data();
    const auto add = [&](operation o) {
      const auto last = o.put ? o.value : o.key;
      const char* end = last.data() + last.size();
      o.encoded = {begin, static_cast<std::size_t>(end - begin)};
      begin = end;
      operations_.push_back(o);
    };
    const bool well_formed = batch::decode(
        batch_bytes,
        [&](column c, std::string_view k, std::string_view v) {
          add({.where = c, .put = true, .key = k, .value = v, .encoded = {}});
        },
        [&](column c, std::string_view k) { add({.where = c, .key = k, .value = {}, .encoded = {}}); });
    if (!well_formed) return false;
  }
  mark_superseded();
  return true;
}

void net_operations::mark_superseded() {
  const auto size = std::bit_ceil(operations_.size() * 2 + 1);
  slots_.assign(size, 0);
  for (auto i = operations_.size(); i-- > 0;) {
    auto& o = operations_[i];
    auto at = (std::hash<std::string_view>{}(o.key) + static_cast<std::size_t>(o.where)) & (size - 1);
    for (; slots_[at] != 0; at = (at + 1) & (size - 1)) {
      const auto& later = operations_[slots_[at] - 1];
      if (later.where != o.where || later.key != o.key) continue;
      o.superseded = true;
      break;
    }
    if (!o.superseded) slots_[at] = static_cast<std::uint32_t>(i + 1);
  }
}

} // namespace matricula::storage
