/// Any bytes are either refused or a message, which written again and read again is the same message.
#include "runtime/message_codec.hpp"
#include "runtime/message_types.hpp"
#include "runtime/system.hpp"
#include "runtime/trace_inspect.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/message.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace message_codec_fuzz {
struct sample {
  std::uint64_t number = 0;
  std::string text;
  std::vector<std::string> list;
  matricula::trace_context trace;
};
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, sample& x) {
  return f(caf::meta::type_name("sample"), x.number, x.text, x.list, x.trace);
}
} // namespace message_codec_fuzz

CAF_BEGIN_TYPE_ID_BLOCK(message_codec_fuzz, caf::first_custom_type_id)
CAF_ADD_TYPE_ID(message_codec_fuzz, (message_codec_fuzz::sample))
CAF_END_TYPE_ID_BLOCK(message_codec_fuzz)

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace matricula::runtime;
  // One system for the whole run; it lives until the process ends.
  static auto* const config =
      make_system_config({.how = system_options::scheduling::testing}, [](caf::actor_system_config& to) {
        declare_messages<caf::id_block::message_codec_fuzz>(to);
      }).release();
  static auto* const system = new caf::actor_system{*config};
  const auto content = decode_message(*system, {reinterpret_cast<const char*>(data), size});
  if (!content) {
    if (content.error().message.empty()) std::abort();
    return 0;
  }
  const auto again = encode_message(*system, *content);
  if (!again) std::abort();
  const auto back = decode_message(*system, *again);
  if (!back || encode_message(*system, *back) != *again) std::abort();
  return 0;
}
