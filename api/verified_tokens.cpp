#include "api/verified_tokens.hpp"

namespace matricula::api {

std::shared_ptr<const principal> verified_tokens::find(const std::string& digest, const basis& by, timestamp now) {
  auto& in = part_of(digest);
  const std::scoped_lock hold(in.guard);
  const auto found = in.of.find(digest);
  if (found == in.of.end()) return nullptr;
  const auto& known = found->second.is;
  if (known.by == by && now >= known.valid_from && now < known.valid_until) return known.who;
  in.drop(found);
  return nullptr;
}

void verified_tokens::put(const std::string& digest, entry of, timestamp now) {
  auto& in = part_of(digest);
  const std::scoped_lock hold(in.guard);
  if (const auto before = in.of.find(digest); before != in.of.end()) in.drop(before);
  if (in.of.size() >= part_max_)
    for (auto one = in.of.begin(); one != in.of.end();) {
      const auto& known = one->second.is;
      one = known.by != of.by || now >= known.valid_until ? in.drop(one) : std::next(one);
    }
  if (in.of.size() >= part_max_) in.drop(in.of.find(in.order.front()));
  in.of.emplace(digest, kept_entry{std::move(of), in.order.insert(in.order.end(), digest)});
}

verified_tokens::entries::iterator verified_tokens::part::drop(entries::iterator one) {
  order.erase(one->second.place);
  return of.erase(one);
}

std::size_t verified_tokens::size() const {
  std::size_t count = 0;
  for (const auto& one : parts_) {
    const std::scoped_lock hold(one.guard);
    count += one.of.size();
  }
  return count;
}

} // namespace matricula::api
