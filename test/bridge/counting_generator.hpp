/// A generator of identifiers with faults, whose calls are in a file: they are counted whatever ends the process that
/// makes them, and several processes share them.
#pragma once
#include "domain/registrants/id_generator.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::test {

enum class deed : std::uint8_t {
  give,      ///< consumes an identifier and says it
  give_late, ///< the same, and nobody hears the answer
  be_silent, ///< no answer, and nothing was done
  fail,      ///< says that it did nothing
  refuse,    ///< says that asking again is pointless
  have_none, ///< its pool is empty
};

class counting_generator final : public registrants::id_generator {
public:
  /// @param plan what to do with the n-th call for a request, n from 1
  using plan = std::function<deed(std::string_view request, std::size_t n)>;
  counting_generator(std::filesystem::path calls, plan what, bool knows = false);
  ~counting_generator() override;
  counting_generator(const counting_generator&) = delete;
  counting_generator& operator=(const counting_generator&) = delete;

  registrants::generator_answer issue(std::string_view request) override;
  registrants::generator_answer confirm(std::string_view id) override;
  [[nodiscard]] bool knows_requests() const noexcept override { return knows_; }

  struct line {
    char what = ' '; ///< 'I' consumed, 'A' asked and not consumed, 'S' the same and no answer, 'C' confirmed
    std::string request;
    std::string id;
  };
  [[nodiscard]] std::vector<line> lines();
  [[nodiscard]] std::size_t calls();    ///< of `issue`
  [[nodiscard]] std::size_t consumed(); ///< identifiers
  [[nodiscard]] std::set<std::string> confirmed();

  /// What each answer takes, when everything is done.
  std::chrono::milliseconds latency{0};
  /// Called in `issue`, before anything is done.
  std::function<void()> on_issue = [] {};
  /// Called in `confirm`, before anything is done.
  std::function<void()> on_confirm = [] {};
  /// What `confirm` does: give means done.
  std::function<deed()> confirm_plan = [] { return deed::give; };
  /// The identifier with this number.
  std::function<std::string(std::size_t)> name = [](std::size_t n) { return std::to_string(4'000'000'000 + n); };

private:
  [[nodiscard]] registrants::generator_answer decide(std::string_view request);
  void read_on();
  void add(char what, std::string_view request, std::string_view id) const;

  plan plan_;
  bool knows_;
  std::mutex guard_; ///< the file's own lock is between processes
  int fd_ = -1;
  std::vector<line> seen_; ///< of the file, up to `read_to_`
  struct history {
    std::size_t asked = 0;
    std::string id; ///< the last that was consumed for it
  };
  std::map<std::string, history, std::less<>> requests_; ///< of what was seen
  std::size_t consumed_ = 0;
  std::int64_t read_to_ = 0;
};

} // namespace matricula::test
