#include "api/resources/actors.hpp"
#include "runtime/actor_command.hpp"

namespace matricula::api {

namespace {
runtime::actor_command to_command(actor_desk::action what) {
  switch (what) {
  case actor_desk::action::restart:
    return runtime::actor_command::restart;
  case actor_desk::action::stop:
    return runtime::actor_command::stop;
  case actor_desk::action::kill:
    return runtime::actor_command::kill;
  case actor_desk::action::start:
    return runtime::actor_command::start;
  }
  return runtime::actor_command::restart;
}

class registry_desk final : public actor_desk {
public:
  explicit registry_desk(const runtime::registry& actors) : actors_(actors) {}
  [[nodiscard]] std::vector<runtime::actor_snapshot> list() const override { return actors_.list(); }
  [[nodiscard]] std::optional<runtime::actor_snapshot> find(std::string_view path) const override {
    return actors_.find(path);
  }
  [[nodiscard]] std::vector<runtime::recent_message> recent(std::string_view path) const override {
    return actors_.recent(path);
  }
  [[nodiscard]] result<std::string> inspect(std::string_view path, std::chrono::milliseconds at_most) const override {
    return actors_.inspect_and_wait(path, at_most);
  }
  [[nodiscard]] result<std::uint64_t> act(std::string_view path, action what,
                                          std::chrono::milliseconds at_most) override {
    return actors_.command_and_wait(path, to_command(what), at_most);
  }

private:
  const runtime::registry& actors_;
};
} // namespace

std::unique_ptr<actor_desk> make_actor_desk(const runtime::registry& actors) {
  return std::make_unique<registry_desk>(actors);
}

} // namespace matricula::api
