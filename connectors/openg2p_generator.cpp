// POST /v1/idgenerator/{id_type}/id takes an identifier for good: there is nothing to confirm, and no key by which a
// repeated request would be known again.
#include "connectors/http_generator.hpp"

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::generator_answer;
using registrants::id_generator;

namespace {

class openg2p_generator final : public id_generator {
public:
  openg2p_generator(http_generator_options options, authorised_client calls)
      : options_(std::move(options)), calls_(std::move(calls)), target_(options_.at.target) {
    while (target_.ends_with('/')) target_.pop_back();
    target_ += "/v1/idgenerator/" + options_.id_type + "/id";
  }

  generator_answer issue(std::string_view) override {
    const auto reply = calls_.call({.method = "POST", .target = target_, .headers = {{"Accept", "application/json"}}},
                                   std::chrono::steady_clock::now() + options_.at_most,
                                   [](const http_reply& answer) { return answer.status == 401; });
    if (auto none = without_answer(reply)) return *none;
    return read_openg2p_issue(as_generator_reply(reply, *options_.time));
  }

  generator_answer confirm(std::string_view id) override {
    if (!is_identifier(id))
      return {call_outcome::refused, {}, "This is no identifier: 1 to 64 letters, digits or '-' are.", {}};
    return {call_outcome::done, {}, {}, {}};
  }

  [[nodiscard]] bool knows_requests() const noexcept override { return false; }
  void stop() noexcept override { calls_.stop(); }

private:
  http_generator_options options_;
  authorised_client calls_;
  std::string target_;
};

} // namespace

result<std::unique_ptr<id_generator>> make_openg2p_generator(http_generator_options options) {
  auto calls = make_authorised_client(options, token_place::bearer);
  if (!calls) return std::unexpected(calls.error());
  return std::make_unique<openg2p_generator>(std::move(options), std::move(*calls));
}

} // namespace matricula::connectors
