/// The doors to the identifiers of a stage, for calls that wait for their answer: it comes on the same thread.
#pragma once
#include "actors/identifiers/door.hpp"
#include "actors/identifiers/vid_door.hpp"
#include "test/actor/stage.hpp"

#include <memory>
#include <vector>

namespace matricula::actor_test {

class door_of_a_stage {
public:
  explicit door_of_a_stage(stage& s, std::uint32_t issuers = 1) : s_(s), clock_(s) {
    for (std::uint32_t i = 0; i < issuers; ++i) {
      auto cx = s.issuer(i);
      cx.monotonic = &clock_;
      contexts_.push_back(std::make_shared<const actors::type_context>(std::move(cx)));
    }
    ids_ = std::make_unique<actors::id_door>(contexts_, gate_);
    vids_ = std::make_unique<actors::vid_door>(contexts_, gate_);
  }

  [[nodiscard]] result<std::vector<identifiers::import_verdict>>
  import(const std::vector<identifiers::import_row>& rows) const {
    return ids_->import(*ids_->types().front(), rows, who());
  }
  [[nodiscard]] actors::vid_door& vids() const { return *vids_; }
  [[nodiscard]] actors::caller who() const { return {"client", "tenant", {}, s_.monotonic() + 1s}; }

private:
  /// Whoever waits for an answer asks for the time first: everything happens then.
  class obliging_clock final : public clock {
  public:
    explicit obliging_clock(stage& s) : s_(s) {}
    [[nodiscard]] timestamp wall() const override { return s_.now(); }
    [[nodiscard]] std::chrono::nanoseconds monotonic() const override {
      s_.run();
      return s_.monotonic();
    }

  private:
    stage& s_;
  };

  stage& s_;
  obliging_clock clock_;
  std::shared_ptr<runtime::reply_gate> gate_ = std::make_shared<runtime::reply_gate>();
  std::vector<std::shared_ptr<const actors::type_context>> contexts_;
  std::unique_ptr<actors::id_door> ids_;
  std::unique_ptr<actors::vid_door> vids_;
};

} // namespace matricula::actor_test
