/// This node's own pool of a type, as a generator for those who call one from a thread of their own.
#pragma once
#include "actors/identifiers/door.hpp"
#include "domain/registrants/id_generator.hpp"
#include "foundation/clock.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

namespace matricula::actors {

class local_generator final : public registrants::id_generator {
public:
  /// @param caller_name the principal of its calls in the trail of identifiers, and whose requests they are: two
  /// callers with one request get two identifiers
  /// @param type of the door, and lives as long. @param time lives longer
  local_generator(std::shared_ptr<id_door> pools, const identifiers::id_type& type, std::string caller_name,
                  milliseconds at_most, const clock& time);

  [[nodiscard]] registrants::generator_answer issue(std::string_view request) override;
  /// Of a type whose identifiers are in use once they are issued: `done`.
  [[nodiscard]] registrants::generator_answer confirm(std::string_view id) override;
  [[nodiscard]] bool knows_requests() const noexcept override { return true; }
  /// The call that runs ends after the time that calls are given.
  void stop() noexcept override { stopped_ = true; }

private:
  [[nodiscard]] caller caller_for(std::string_view request) const;

  std::shared_ptr<id_door> pools_;
  const identifiers::id_type& type_;
  std::string name_;
  milliseconds at_most_;
  const clock& time_;
  std::atomic<bool> stopped_{false};
};

} // namespace matricula::actors
