#include "api/compat/id_desk.hpp"

#include "foundation/digest.hpp"
#include "storage/idempotency.hpp"

#include <fmt/format.h>

namespace matricula::api::compat {

using namespace identifiers;

namespace {
class door_desk final : public id_desk {
public:
  explicit door_desk(actors::id_door& door) : door_(door) {}
  [[nodiscard]] std::vector<const id_type*> types() const override { return door_.types(); }
  [[nodiscard]] const id_type* find(std::string_view name) const override { return door_.find(name); }
  [[nodiscard]] result<std::optional<storage::id_place>> locate(const id_type& type, std::string_view id) override {
    return door_.locate(type, id);
  }
  [[nodiscard]] result<std::optional<std::uint64_t>> counter_of(const id_type& type, std::string_view id) override {
    return door_.counter_of(type, id);
  }
  [[nodiscard]] bool reads_to_change(const id_type& type) const override { return door_.reads_to_change(type); }
  [[nodiscard]] result<actors::issue_result> issue(const id_type& type, const actors::issue_call& what,
                                                   const actors::caller& who) override {
    return door_.issue(type, what, who);
  }
  [[nodiscard]] result<id_record> change(const id_type& type, std::uint64_t counter, id_event event,
                                         std::uint32_t assignment, const actors::caller& who) override {
    return door_.change(type, counter, event, assignment, who);
  }
  [[nodiscard]] actors::promised<actors::issue_result> begin_issue(const id_type& type, const actors::issue_call& what,
                                                                   const actors::caller& who,
                                                                   runtime::reply_notice told) override {
    return door_.begin_issue(type, what, who, std::move(told));
  }
  [[nodiscard]] actors::promised<id_record> begin_change(const id_type& type, std::uint64_t counter, id_event event,
                                                         std::uint32_t assignment, const actors::caller& who,
                                                         runtime::reply_notice told) override {
    return door_.begin_change(type, counter, event, assignment, who, std::move(told));
  }

private:
  actors::id_door& door_;
};
} // namespace

actors::promised<actors::issue_result> id_desk::begin_issue(const id_type& type, const actors::issue_call& what,
                                                            const actors::caller& who, runtime::reply_notice told) {
  auto answer = issue(type, what, who);
  told.tell();
  return [answer = std::move(answer)] { return answer; };
}

actors::promised<id_record> id_desk::begin_change(const id_type& type, std::uint64_t counter, id_event event,
                                                  std::uint32_t assignment, const actors::caller& who,
                                                  runtime::reply_notice told) {
  auto answer = change(type, counter, event, assignment, who);
  told.tell();
  return [answer = std::move(answer)] { return answer; };
}

std::unique_ptr<id_desk> make_id_desk(actors::id_door& door) { return std::make_unique<door_desk>(door); }

actors::caller caller_of(const request& r) { return {r.who->name, r.who->tenant, r.trace, r.deadline}; }

actors::issue_call one_identifier(const request& r, const id_type& type, std::optional<timestamp> expires_at) {
  actors::issue_call call;
  call.expires_at = expires_at;
  if (r.idempotency_key.empty()) return call;
  const auto operation = "compat.issue/" + type.name;
  call.idempotency_ref = storage::idempotency::hash_of({r.who->tenant, r.who->name, operation, r.idempotency_key});
  call.fingerprint =
      sha256(fmt::format("compat\n{}\n{}", type.name, expires_at ? expires_at->time_since_epoch().count() : 0));
  return call;
}

} // namespace matricula::api::compat
