/// What the runtime knows of each message type: its name for people, whether a dead letter of it may be replayed, its
/// size, and where its trace is. Facts about types, so declared once for the process; declaring again changes nothing.
#pragma once
#include "foundation/trace.hpp"

#include <caf/actor_system_config.hpp>
#include <caf/type_id.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

namespace matricula::runtime {

/// Whether a dead letter of this type may be sent again: give the type `static constexpr bool replayable = true`, or
/// specialise this. Declare it only for messages whose effect is the same when done twice. A handler of a replayable
/// message takes it by const reference: the dead letter is written after the handler failed.
template <class T>
inline constexpr bool is_replayable = requires { requires T::replayable; };

/// Facts about one element type.
struct message_type {
  std::string name;
  bool replayable = false;
  std::size_t (*size)(const void*) = nullptr;
  const trace_context* (*trace)(const void*) = nullptr; ///< null when the type carries none
};

namespace detail {
void declare(std::type_index type, message_type facts);

template <class T>
std::size_t size_of_value(const void* value) {
  if constexpr (requires(const T& x) {
                  { approximate_size(x) } -> std::convertible_to<std::size_t>;
                })
    return approximate_size(*static_cast<const T*>(value));
  else
    return sizeof(T);
}

template <class T>
const trace_context* trace_of_value(const void* value) {
  return &static_cast<const T*>(value)->trace;
}
} // namespace detail

/// Makes `T` known to the runtime. A public member `trace` of type trace_context is found by itself; a free function
/// `approximate_size(const T&)` beside the type refines the size estimate.
template <class T>
void declare_message(std::string name) {
  message_type facts{std::move(name), is_replayable<T>, &detail::size_of_value<T>, nullptr};
  if constexpr (requires(const T& x) {
                  { x.trace } -> std::convertible_to<const trace_context&>;
                })
    facts.trace = &detail::trace_of_value<T>;
  detail::declare(typeid(T), std::move(facts));
}

/// Makes every type of a CAF type-id block known, to `config` and to the runtime: the one place of registration.
template <class Block>
void declare_messages(caf::actor_system_config& config) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (
        [&] {
          constexpr auto id = static_cast<caf::type_id_t>(Block::begin + I);
          using type = typename caf::type_by_id<id>::type;
          config.add_message_type<type>(caf::type_name_by_id<id>::value);
          declare_message<type>(caf::type_name_by_id<id>::value);
        }(),
        ...);
  }(std::make_index_sequence<static_cast<std::size_t>(Block::end - Block::begin)>{});
}

/// Facts about a whole message, found by the types of its elements (for atoms, by the atom). Lives for ever.
struct message_facts {
  std::string name; ///< "matricula::issue" or "reset+@str"; at most the first four elements
  /// At least one element is declared replayable and no other is of a type of ours that is not.
  bool replayable = false;
  std::vector<const message_type*> elements; ///< null for types never declared
};

/// Fast: one look-up in a table of the calling thread.
[[nodiscard]] const message_facts& facts_of(const caf::type_erased_tuple& content);
/// The sum over the elements; an estimate.
[[nodiscard]] std::size_t approximate_size_of(const caf::type_erased_tuple& content, const message_facts& facts);
/// The first element's trace, or null.
[[nodiscard]] const trace_context* trace_of(const caf::type_erased_tuple& content, const message_facts& facts);
/// Whether a type of this registered name may stand in a replayed message: declared, or one of CAF's plain values.
[[nodiscard]] bool may_be_read_back(const std::string& name);

} // namespace matricula::runtime
