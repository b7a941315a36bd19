/// Reads the answers about tasks of this node, which puts a task's token and id before all that its clients wrote. To
/// parse everything would take processor time from the node that is measured.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace matricula::bench {

struct leased {
  std::uint64_t id = 0, token = 0;
};

/// The number after `name`, from `at` on; moves `at` behind `name`. Nothing when there is none.
[[nodiscard]] std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name, std::size_t& at);

/// The tasks of the answer to a lease.
[[nodiscard]] std::vector<leased> leased_tasks(std::string_view body);

} // namespace matricula::bench
