#include "storage/task_list.hpp"

#include "foundation/digest.hpp"
#include "storage/keys.hpp"

#include <charconv>
#include <functional>

namespace matricula::storage {

using namespace tasks;

namespace {

constexpr std::size_t rows_looked_at_max = 5'000;
constexpr std::size_t page_bytes_max = std::size_t{1} << 20; ///< of payloads, results and histories, about

std::size_t bytes_of(const task& t) {
  auto bytes = t.payload.size() + t.result.size() + t.last_error.size();
  for (const auto& a : t.history) bytes += a.error.size() + a.worker.size();
  return bytes;
}

/// A range of rows in which tasks stand in the order of the list.
struct stretch {
  column where;
  std::string prefix;
  bool backwards = false;
};

std::string prefix_before(std::string key, std::size_t bytes) {
  key.resize(key.size() - bytes);
  return key;
}

std::vector<stretch> stretches(const task_partition& part, const task_query& what) {
  constexpr std::size_t place = 16, number = 8;
  if (!what.state) return {{column::tasks, prefix_before(part.task_key(0), number), true}};
  if (is_final(*what.state))
    return {{column::task_index, prefix_before(part.ended_key(*what.state, {}, 0), place), true}};
  std::vector<stretch> out;
  for (const auto& type : what.types) {
    if (!what.worker_type.empty() && what.worker_type != type && what.worker_type != worker_type_of(type)) continue;
    if (*what.state == task_state::running) {
      out.push_back({column::task_index, prefix_before(part.running_key(type, 0), number)});
      continue;
    }
    out.push_back({column::task_index, prefix_before(part.ready_key(type, 0, 0), place)});
    out.push_back({column::task_index, prefix_before(part.waiting_key(type, {}, 0), place)});
  }
  return out;
}

struct cursor_parts {
  std::size_t stretch = 0;
  std::string last; ///< what follows the prefix in the key of the last row of the page before
};

std::optional<cursor_parts> parse(std::string_view text) {
  cursor_parts out;
  if (text.empty()) return out;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out.stretch);
  if (bad != std::errc{} || end == text.data() + text.size() || *end != '.') return std::nullopt;
  const auto rest = from_hex(text.substr(static_cast<std::size_t>(end - text.data()) + 1));
  if (!rest || rest->size() > 16) return std::nullopt;
  out.last = *rest;
  return out;
}

} // namespace

result<task_page> list_tasks(const view& v, const task_partition& part, const task_query& what, std::string_view cursor,
                             std::size_t limit) {
  const auto all = stretches(part, what);
  const auto from = parse(cursor);
  if (!from || (from->stretch >= all.size() && !(all.empty() && cursor.empty())))
    return fail(errc::invalid_argument, "cursor is the next_cursor of an earlier page of the same list.");
  task_page page;
  std::size_t looked_at = 0, bytes = 0;
  for (auto s = from->stretch; s < all.size(); ++s) {
    const auto& here = all[s];
    auto lower = here.prefix, upper = after_prefix(here.prefix);
    if (s == from->stretch && !from->last.empty()) {
      if (here.backwards)
        upper = here.prefix + from->last;
      else
        lower = here.prefix + from->last + '\0';
    }
    std::optional<error> bad;
    std::string last;
    bool full = false;
    const auto take = [&](std::string_view key, std::string_view) {
      last = key.substr(here.prefix.size());
      ++looked_at;
      if (last.size() < 8) return bad = error{errc::corrupt, "tasks: a key of the index is malformed", {}}, false;
      const auto id = byte_reader{key.substr(key.size() - 8)}.big64();
      auto found = find_task(v, part, id);
      if (!found) return bad = found.error(), false;
      const bool wanted = *found && (what.worker_type.empty() || is_of((*found)->task, what.worker_type));
      if (wanted) {
        bytes += bytes_of((*found)->task);
        page.items.push_back(std::move(**found));
      }
      full = page.items.size() >= limit || looked_at >= rows_looked_at_max || bytes >= page_bytes_max;
      return !full;
    };
    const auto walked =
        here.backwards ? v.walk_back(here.where, lower, upper, take) : v.walk(here.where, lower, upper, take);
    if (!walked) return std::unexpected(walked.error());
    if (bad) return std::unexpected(*bad);
    if (full) {
      page.next = std::to_string(s) + "." + to_hex(last);
      return page;
    }
  }
  return page;
}

} // namespace matricula::storage
