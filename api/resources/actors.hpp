/// The actors of the node: GET /v1/actors (the tree), GET /v1/actors/{path}, POST /v1/actors/{path}/{action}.
#pragma once
#include "api/audit.hpp"
#include "api/route.hpp"
#include "runtime/registry.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

/// What the routes need of the runtime; a test stands in for it.
class actor_desk {
public:
  enum class action : std::uint8_t { restart, stop, kill, start };

  virtual ~actor_desk() = default;
  /// Sorted by path: a parent stands before its children.
  [[nodiscard]] virtual std::vector<runtime::actor_snapshot> list() const = 0;
  [[nodiscard]] virtual std::optional<runtime::actor_snapshot> find(std::string_view path) const = 0;
  [[nodiscard]] virtual std::vector<runtime::recent_message> recent(std::string_view path) const = 0;
  /// The actor's own state as JSON.
  [[nodiscard]] virtual result<std::string> inspect(std::string_view path, std::chrono::milliseconds at_most) const = 0;
  /// Returns the generation that lives afterwards, or lived last. Errors: not_found, conflict, unavailable,
  /// deadline_exceeded.
  [[nodiscard]] virtual result<std::uint64_t> act(std::string_view path, action what,
                                                  std::chrono::milliseconds at_most) = 0;
};

/// The desk over the runtime's registry, which must live longer.
[[nodiscard]] std::unique_ptr<actor_desk> make_actor_desk(const runtime::registry& actors);

/// The desk must live longer than the routes.
[[nodiscard]] std::vector<route> actor_routes(actor_desk& actors, audit_hook audit, const clock& time);

} // namespace matricula::api
