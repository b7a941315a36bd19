#include "api/verified_tokens.hpp"

namespace matricula::api {

std::shared_ptr<const principal> verified_tokens::find(const std::string& digest, const basis& by, timestamp now) {
  auto& in = part_of(digest);
  const std::scoped_lock hold(in.guard);
  const auto found = in.of.find(digest);
  if (found == in.of.end()) return nullptr;
  const auto& known = found->second;
  if (known.by == by && now >= known.valid_from && now < known.valid_until) return known.who;
  in.of.erase(found);
  return nullptr;
}

void verified_tokens::put(const std::string& digest, entry of, timestamp now) {
  auto& in = part_of(digest);
  const std::scoped_lock hold(in.guard);
  if (in.of.size() >= part_max_)
    std::erase_if(in.of, [&](const auto& one) { return one.second.by != of.by || now >= one.second.valid_until; });
  if (in.of.size() >= part_max_) in.of.erase(in.of.begin());
  in.of.insert_or_assign(digest, std::move(of));
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
