#include "runtime/message_codec.hpp"

#include "foundation/bytes.hpp"
#include "runtime/message_types.hpp"
#include "runtime/registry.hpp"

#include <caf/actor.hpp>
#include <caf/actor_system.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/detail/dynamic_message_data.hpp>
#include <caf/send.hpp>

#include <algorithm>
#include <vector>

namespace matricula::runtime {

namespace {
constexpr std::uint8_t format_version = 1;
constexpr std::uint64_t elements_max = 64;

std::string registered_name(caf::actor_system& system, const caf::rtti_pair& type) {
  const auto& name = system.types().portable_name(type);
  return name == system.types().default_type_name() ? std::string{} : name;
}
} // namespace

result<std::string> encode_message(caf::actor_system& system, const caf::type_erased_tuple& content) {
  byte_writer out;
  out.u8(format_version).varint(content.size());
  for (std::size_t i = 0; i < content.size(); ++i) {
    const auto name = registered_name(system, content.type(i));
    if (name.empty()) return fail(errc::unsupported, "The message holds a type that is not registered.");
    std::vector<char> bytes;
    caf::binary_serializer sink{system, bytes};
    if (content.save(i, sink)) return fail(errc::unsupported, "A value of type " + name + " cannot be written.");
    out.text(name).text({bytes.data(), bytes.size()});
  }
  return std::move(out).str();
}

result<caf::message> decode_message(caf::actor_system& system, std::string_view bytes) {
  byte_reader in{bytes};
  if (const auto version = in.u8(); in.ok() && version != format_version)
    return fail(errc::unsupported, "The message was written by another version of this program.");
  const auto count = in.varint();
  if (!in.ok() || count > elements_max) return fail(errc::corrupt, "These bytes are not a message.");
  caf::detail::dynamic_message_data::elements values;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name{in.text()};
    const auto value_bytes = in.text();
    if (!in.ok()) return fail(errc::corrupt, "These bytes are not a whole message.");
    if (!may_be_read_back(name)) return fail(errc::unsupported, "This program has no such message type.");
    auto value = system.types().make_value(name);
    if (!value) return fail(errc::unsupported, "The message type is not registered.");
    caf::binary_deserializer source{system, value_bytes.data(), value_bytes.size()};
    if (value->load(source) || source.remaining() != 0)
      return fail(errc::corrupt, "A value in the message is not whole.");
    values.push_back(std::move(value));
  }
  if (!in.done()) return fail(errc::corrupt, "Something follows the message.");
  return caf::message{caf::message::data_ptr{new caf::detail::dynamic_message_data(std::move(values)), false}};
}

namespace {
struct replay_order {
  caf::actor to;
  caf::message content;
};

result<replay_order> prepare_replay(caf::actor_system& system, const registry& actors, const dead_letter& letter) {
  if (!letter.replayable)
    return fail(errc::conflict, "A message of this type may not be replayed; send the request again instead.");
  auto content = decode_message(system, letter.payload);
  if (!content) return std::unexpected(content.error());
  // The letter says what it was when it was written; what counts is what this program declares.
  if (!facts_of(*content).replayable) return fail(errc::conflict, "A message of this type may no longer be replayed.");
  const auto actor = actors.find(letter.actor_path);
  if (!actor) return fail(errc::not_found, "There is no such actor.");
  if (actor->state == actor_state::stopped)
    return fail(errc::unavailable, "The actor is stopped. Start it, then replay the message.", std::chrono::seconds(5));
  if (std::ranges::find(actor->refused_types, facts_of(*content).name) != actor->refused_types.end())
    return fail(errc::unavailable,
                "Messages of this type crashed the actor so often that it refuses them for a while. Restart the actor "
                "to accept them again, then replay the message.",
                std::chrono::seconds(60));
  auto address = actors.address(letter.actor_path);
  if (!address) return std::unexpected(address.error());
  return replay_order{std::move(*address), std::move(*content)};
}
} // namespace

result<void> replay(caf::actor_system& system, const registry& actors, const dead_letter& letter) {
  auto order = prepare_replay(system, actors, letter);
  if (!order) return std::unexpected(order.error());
  caf::anon_send(order->to, std::move(order->content));
  return {};
}

result<void> check_replay(caf::actor_system& system, const registry& actors, const dead_letter& letter) {
  if (const auto order = prepare_replay(system, actors, letter); !order) return std::unexpected(order.error());
  return {};
}

} // namespace matricula::runtime
