#include "connectors/postgres/bridge_thread.hpp"

#include "foundation/log.hpp"
#include "foundation/thread.hpp"

#include <exception>

namespace matricula::connectors::postgres {

using registrants::id_generator;

namespace {
constexpr milliseconds pause_after_mistake{1'000};
} // namespace

bridge_thread::bridge_thread(bridge_options options, id_generator& generator)
    : bridge_(std::move(options), generator, random_), thread_([this] { run(); }) {}

bridge_thread::~bridge_thread() { stop(); }

void bridge_thread::stop() {
  bridge_.stop();
  if (thread_.joinable()) thread_.join();
}

void bridge_thread::run() {
  name_this_thread("bridge");
  while (!bridge_.stopping()) {
    auto idle = pause_after_mistake;
    try {
      idle = bridge_.step();
    } catch (const std::exception& e) {
      // A generator that breaks its promise. What was claimed comes again when its lease is over.
      log::error("bridge.mistake", e.what());
    }
    if (idle > milliseconds{0}) bridge_.wait(idle);
  }
  bridge_.release();
  ended_.raise();
}

result<std::vector<doubt>> read_doubts(const connection_options& database, std::int64_t after, std::uint32_t at_most) {
  const stop_signal never;
  auto on = connection::open(database, never, never);
  if (!on) return fail(errc::unavailable, "The list of doubts cannot be read: " + on.error().message);
  auto found = list_doubts(*on, after, at_most);
  if (!found) return fail(errc::unavailable, "The list of doubts cannot be read: " + found.error().message);
  return std::move(*found);
}

} // namespace matricula::connectors::postgres
