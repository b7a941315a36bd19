#include "actors/dead_letter_office.hpp"
#include "api/resources/dead_letters.hpp"

#include <algorithm>

namespace matricula::api {

namespace {

kept_dead_letter to_api(actors::kept_letter&& l) {
  kept_dead_letter out;
  out.id = std::move(l.id);
  out.letter = std::move(l.letter);
  out.replayed = l.replayed;
  return out;
}

class office_desk final : public dead_letter_desk {
public:
  office_desk(actors::dead_letter_office& office, const clock& time) : office_(office), time_(time) {}

  result<dead_letter_page> list(const dead_letter_query& query) const override {
    dead_letter_page out;
    std::string after = query.cursor;
    // A filter may leave a page empty: go on until there is something to show, within reason.
    for (int pages = 0; pages < pages_max && out.items.empty(); ++pages) {
      auto page = office_.list(after, std::clamp<std::size_t>(query.items_max, 1, 1'000));
      if (!page) return std::unexpected(page.error());
      for (auto& l : page->letters)
        if (is_below(l.letter.actor_path, query.actor)) out.items.push_back(to_api(std::move(l)));
      out.next_cursor = after = page->next;
      if (after.empty()) break;
    }
    return out;
  }
  result<kept_dead_letter> find(std::string_view id) const override {
    auto found = office_.find(id);
    if (!found) return std::unexpected(found.error());
    return to_api(std::move(*found));
  }
  result<void> replay(std::string_view id, std::chrono::nanoseconds deadline) override {
    return office_.replay(id, left(deadline));
  }
  result<void> discard(std::string_view id, std::chrono::nanoseconds deadline) override {
    return office_.discard(id, left(deadline));
  }

private:
  static constexpr int pages_max = 10;
  static bool is_below(std::string_view path, std::string_view root) {
    return root.empty() || (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/'));
  }
  std::chrono::milliseconds left(std::chrono::nanoseconds deadline) const {
    return std::max(std::chrono::milliseconds{0},
                    std::chrono::duration_cast<std::chrono::milliseconds>(deadline - time_.monotonic()));
  }
  actors::dead_letter_office& office_;
  const clock& time_;
};

} // namespace

std::unique_ptr<dead_letter_desk> make_dead_letter_desk(actors::dead_letter_office& office, const clock& time) {
  return std::make_unique<office_desk>(office, time);
}

} // namespace matricula::api
