/// Bearer tokens: 256 random bits each, of which only the SHA-256 is stored.
/// The file has one line a token: name, tenant, scopes (comma separated), hash, created, expires or "-", with single
/// spaces between, and at the end a quota of its own if it has one. Lines that begin with '#' are comments.
#pragma once
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::api {

/// Lets scanners for leaked secrets recognise a token.
inline constexpr std::string_view token_prefix = "mtr_";

struct token_record {
  principal who;
  std::string hash; ///< 32 raw bytes
  timestamp created;
  std::optional<timestamp> expires;
};

struct token_request {
  std::string name;                              ///< 1 to 64 of [A-Za-z0-9._-], unique in the file
  std::string tenant = "default";                ///< the same alphabet
  std::vector<std::string> scopes;               ///< at least one, each of [a-z0-9:_-] and '*'
  std::optional<timestamp> expires;              ///< later than now
  std::optional<own_quota> quota = std::nullopt; ///< where it differs from everybody's
};

/// Adds a token to `file`, which is made (mode 0600) when absent, and returns its text: the only time that it is seen.
/// The file is replaced as a whole and synced; two calls at once, in two processes too, follow each other. Its owner
/// stays the same; when root makes a new one it belongs to the owner of its folder.
/// Errors: invalid_argument, conflict (the name is taken), io, corrupt (the file is not readable as tokens).
[[nodiscard]] result<std::string> create_token(const std::filesystem::path& file, const token_request& wanted,
                                               timestamp now);
/// Removes the token of that name. Errors: not_found, io, corrupt.
[[nodiscard]] result<void> revoke_token(const std::filesystem::path& file, std::string_view name);
/// Every token of the file. Errors: not_found (no file), corrupt (with the line), forbidden (others may read it), io.
[[nodiscard]] result<std::vector<token_record>> load_tokens(const std::filesystem::path& file);

/// The tokens in force. Thread safe; a reload replaces them all at once or, when the file is bad, not at all.
class token_store {
public:
  explicit token_store(std::filesystem::path file);
  ~token_store();
  token_store(const token_store&) = delete;
  token_store& operator=(const token_store&) = delete;

  /// Reads the file again; returns how many tokens there are. Errors as load_tokens.
  [[nodiscard]] result<std::size_t> reload();

  /// Whose token it is. Errors: unauthenticated (unknown or expired, without saying which of the two first).
  /// Looking up by SHA-256 tells nothing by its time: who guesses cannot steer the hash of a guess towards a stored
  /// one, and the comparison itself is in constant time. Each thread remembers a few good tokens, which saves the hash
  /// on a connection's later requests.
  [[nodiscard]] result<std::shared_ptr<const principal>> check(std::string_view token, timestamp now) const;

private:
  struct table;
  std::filesystem::path file_;
  std::mutex reloading_;     ///< from reading the file to the swap
  mutable std::mutex guard_; ///< of table_
  std::shared_ptr<const table> table_;
  std::atomic<std::uint64_t> generation_;
};

} // namespace matricula::api
