/// Tokens that were checked lately, so that a signature is not checked for every request. Bounded; only good tokens get
/// in, and the one that came first makes room. They are known by their SHA-256: the tokens themselves are not kept.
#pragma once
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace matricula::api {

/// Thread safe; threads rarely meet, since there is one lock for each part of the tokens.
class verified_tokens {
public:
  /// @param count_max at least 16.
  explicit verified_tokens(std::size_t count_max) : part_max_(count_max / parts) {}

  /// By which keys and rules a token was found good; under others it must be checked anew.
  struct basis {
    std::uint64_t keys = 0;
    std::uint64_t rules = 0;
    bool operator==(const basis&) const = default;
  };
  struct entry {
    basis by;
    timestamp valid_from;
    timestamp valid_until;
    std::shared_ptr<const principal> who;
  };

  /// Whose token it is; null when it must be checked. @param digest 32 bytes.
  [[nodiscard]] std::shared_ptr<const principal> find(const std::string& digest, const basis& by, timestamp now);
  void put(const std::string& digest, entry of, timestamp now);
  [[nodiscard]] std::size_t size() const;

private:
  static constexpr std::size_t parts = 16;
  struct kept_entry {
    entry is;
    std::list<std::string>::iterator place;
  };
  using entries = std::unordered_map<std::string, kept_entry>;
  struct part {
    mutable std::mutex guard;
    entries of;
    std::list<std::string> order; ///< of coming, oldest first
    entries::iterator drop(entries::iterator one);
  };
  part& part_of(const std::string& digest) { return parts_.at(static_cast<unsigned char>(digest.front()) % parts); }

  std::size_t part_max_;
  std::array<part, parts> parts_;
};

} // namespace matricula::api
