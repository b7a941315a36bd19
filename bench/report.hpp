/// What the benchmark found: one table for people, JSON for programs, and whether every target was met.
#pragma once
#include <nlohmann/json.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::bench {

enum class bound : std::uint8_t { at_least, at_most, below };

/// What a figure is asked to be.
struct target {
  bound is;
  double value;
};

struct figure {
  std::string name;
  double value;
  std::string_view unit; ///< of a string literal
  int decimals = 0;
  std::optional<target> asked = std::nullopt;

  [[nodiscard]] bool missed() const noexcept;
};

class report {
public:
  /// Begins a part of the table.
  void begin(std::string title);
  void add(const figure& f);
  /// A line below the present part.
  void note(std::string text);
  /// Goes into the JSON only.
  nlohmann::ordered_json& details() { return details_; }

  [[nodiscard]] std::string table() const;
  [[nodiscard]] nlohmann::ordered_json json() const;
  [[nodiscard]] std::size_t missed() const noexcept;

private:
  struct part {
    std::string title;
    std::vector<figure> figures;
    std::vector<std::string> notes;
  };
  std::vector<part> parts_;
  nlohmann::ordered_json details_;
};

[[nodiscard]] double median(std::vector<double> values);

} // namespace matricula::bench
