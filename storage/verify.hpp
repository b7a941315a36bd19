/// A full check of a stopped store: its files, its chain, every row, and what the features say about their rows.
#pragma once
#include "storage/inspect.hpp"
#include "storage/store_options.hpp"
#include "storage/view.hpp"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::storage {

struct problem {
  std::string check;   ///< who found it
  std::string message; ///< a sentence; without personal data
};

class verify_report {
public:
  static constexpr std::size_t problems_max = 100; ///< more are only counted

  void add(std::string_view check, std::string message);
  /// Adds to a number that the report shows, such as the rows that were read.
  void count(const std::string& name, std::uint64_t n = 1) { counts_[name] += n; }

  [[nodiscard]] bool ok() const noexcept { return found_ == 0; }
  [[nodiscard]] std::uint64_t found() const noexcept { return found_; }
  [[nodiscard]] const std::vector<problem>& problems() const noexcept { return problems_; }
  [[nodiscard]] const std::map<std::string, std::uint64_t>& counts() const noexcept { return counts_; }
  /// One JSON object.
  [[nodiscard]] std::string to_json() const;

private:
  std::uint64_t found_ = 0;
  std::vector<problem> problems_;
  std::map<std::string, std::uint64_t> counts_;
};

/// What a feature knows about its rows: indexes against rows, counters against rows.
class verifier {
public:
  virtual ~verifier() = default;
  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  /// Walks what it needs in bounded memory and reports what is wrong.
  virtual void check(const view& rows, verify_report& report) const = 0;
};

/// Opens the store read only, changes nothing, and reports everything that is wrong: a store that cannot be opened, the
/// mark above the running number, a chain that does not follow, damaged tables, keys without a valid shard, rows that
/// do not decode, unfinished imports; then asks the verifiers.
[[nodiscard]] verify_report verify(store_options options, const row_decoders& decoders,
                                   std::span<const verifier* const> verifiers = {});

} // namespace matricula::storage
