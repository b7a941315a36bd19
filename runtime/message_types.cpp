#include "runtime/message_types.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdlib>
#include <cxxabi.h>
#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace matricula::runtime {

namespace {
constexpr std::size_t named_elements_max = 4;

struct key {
  std::size_t size = 0;
  std::array<std::uint64_t, named_elements_max + 1> parts{}; ///< the last one stands for all further elements
  auto operator<=>(const key&) const = default;
};

struct key_hash {
  std::size_t operator()(const key& k) const noexcept {
    std::uint64_t h = k.size;
    for (const auto part : k.parts) h = (h ^ part) * 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(h ^ (h >> 32));
  }
};

/// Never freed: names are handed out for ever, and threads may end after static destruction.
struct table {
  std::mutex mutex;
  std::map<std::type_index, std::unique_ptr<message_type>> types;
  std::map<key, std::unique_ptr<message_facts>> messages;
  std::vector<std::unique_ptr<message_facts>> outdated;
  std::atomic<std::uint64_t> version{1};
};
table& the_table() {
  static auto* const the_one = new table;
  return *the_one;
}

constexpr auto atom_nr = caf::type_nr<caf::atom_value>::value;

key key_of(const caf::type_erased_tuple& content) {
  key k;
  k.size = content.size();
  for (std::size_t i = 0; i < k.size; ++i) {
    const auto [nr, type] = content.type(i);
    auto part = nr != 0 ? nr : reinterpret_cast<std::uintptr_t>(type);
    if (nr == atom_nr) part = (1ULL << 63) ^ static_cast<std::uint64_t>(content.get_as<caf::atom_value>(i));
    auto& place = k.parts[std::min(i, named_elements_max)];
    place = (place ^ part) * 0x9E3779B97F4A7C15ULL;
  }
  return k;
}

std::string demangled(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text{abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                         &std::free};
  return status == 0 && text ? std::string{text.get()} : std::string{type.name()};
}

/// @pre the table's mutex is held.
std::unique_ptr<message_facts> make_facts(const table& all, const caf::type_erased_tuple& content) {
  auto facts = std::make_unique<message_facts>();
  bool declared_replayable = false;
  bool forbidden = false;
  for (std::size_t i = 0; i < content.size(); ++i) {
    const auto [nr, type] = content.type(i);
    const message_type* known = nullptr;
    std::string name;
    if (nr == atom_nr) {
      name = caf::to_string(content.get_as<caf::atom_value>(i));
    } else if (nr != 0) {
      name = caf::numbered_type_names[nr - 1];
    } else if (const auto found = all.types.find(*type); found != all.types.end()) {
      known = found->second.get();
      name = known->name;
      (known->replayable ? declared_replayable : forbidden) = true;
    } else {
      name = demangled(*type);
      forbidden = true;
    }
    facts->elements.push_back(known);
    if (i < named_elements_max) facts->name += (i > 0 ? "+" : "") + name;
  }
  facts->replayable = declared_replayable && !forbidden;
  if (content.size() == 0) facts->name = "empty";
  return facts;
}
} // namespace

namespace detail {
void declare(std::type_index type, message_type facts) {
  auto& all = the_table();
  const std::lock_guard guard{all.mutex};
  if (!all.types.emplace(type, std::make_unique<message_type>(std::move(facts))).second) return;
  // A type that was seen before it was declared has a provisional name; later messages shall have the right one.
  for (auto& [k, old] : all.messages) all.outdated.push_back(std::move(old));
  all.messages.clear();
  all.version.fetch_add(1, std::memory_order_release);
}
} // namespace detail

const message_facts& facts_of(const caf::type_erased_tuple& content) {
  thread_local std::unordered_map<key, const message_facts*, key_hash> mine;
  thread_local std::uint64_t version = 0;
  auto& all = the_table();
  if (const auto now = all.version.load(std::memory_order_acquire); now != version) {
    mine.clear();
    version = now;
  }
  const auto k = key_of(content);
  if (const auto found = mine.find(k); found != mine.end()) return *found->second;
  const std::lock_guard guard{all.mutex};
  auto& slot = all.messages[k];
  if (!slot) slot = make_facts(all, content);
  mine.emplace(k, slot.get());
  return *slot;
}

std::size_t approximate_size_of(const caf::type_erased_tuple& content, const message_facts& facts) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (i < facts.elements.size() && facts.elements[i] != nullptr)
      size += facts.elements[i]->size(content.get(i));
    else if (content.type_nr(i) == caf::type_nr<std::string>::value)
      size += content.get_as<std::string>(i).size();
    else
      size += sizeof(std::uint64_t);
  }
  return size;
}

const trace_context* trace_of(const caf::type_erased_tuple& content, const message_facts& facts) {
  for (std::size_t i = 0; i < std::min(content.size(), facts.elements.size()); ++i)
    if (facts.elements[i] != nullptr && facts.elements[i]->trace != nullptr)
      return facts.elements[i]->trace(content.get(i));
  return nullptr;
}

bool may_be_read_back(const std::string& name) {
  // Not "@charbuf": CAF makes room for as many bytes as the input claims before it looks whether they are there. Not
  // "float" and "double": what is read may be infinite, and CAF never comes to an end of writing that.
  static constexpr std::array plain{"@atom",   "@i16", "@i32", "@i64", "@i8", "@str",
                                    "@strvec", "@u16", "@u32", "@u64", "@u8", "bool"};
  if (std::ranges::find(plain, name) != plain.end()) return true;
  auto& all = the_table();
  const std::lock_guard guard{all.mutex};
  return std::ranges::any_of(all.types, [&](const auto& entry) { return entry.second->name == name; });
}

} // namespace matricula::runtime
