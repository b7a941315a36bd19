/// What a run found wrong, written down where it was seen: handlers would swallow an exception, and the run goes on.
#pragma once
#include "test/sim/symptom.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace matricula::sim {

class findings {
public:
  static constexpr std::size_t kept_max = 20; ///< more are only counted

  void at(std::uint64_t life, std::uint64_t step) noexcept { life_ = life, step_ = step; }
  void add(symptom kind, std::string what) {
    ++found_;
    auto& first = first_[static_cast<std::size_t>(kind)];
    if (!first.empty() && kept_.size() >= kept_max) return;
    auto line = "life " + std::to_string(life_) + ", step " + std::to_string(step_) + ": " + std::move(what);
    if (first.empty()) first = line;
    if (kept_.size() < kept_max) kept_.push_back(std::move(line));
  }
  void add(std::string what) { add(symptom::other, std::move(what)); }
  [[nodiscard]] std::uint64_t found() const noexcept { return found_; }
  [[nodiscard]] const std::vector<std::string>& kept() const noexcept { return kept_; }
  /// By kind; empty when there is none of it.
  [[nodiscard]] const std::array<std::string, symptoms>& first() const noexcept { return first_; }

private:
  std::uint64_t life_ = 0;
  std::uint64_t step_ = 0;
  std::uint64_t found_ = 0;
  std::vector<std::string> kept_;
  std::array<std::string, symptoms> first_;
};

} // namespace matricula::sim
