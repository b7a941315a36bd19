/// The door to the VIDs that policies make for holders, beside id_door. No CAF shows here.
#pragma once
#include "actors/identifiers/door.hpp"
#include "actors/identifiers/vid_action.hpp"
#include "domain/identifiers/holder.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::actors {

struct vid_call {
  vid_action action = vid_action::create;
  std::string holder;           ///< create, deactivate, reactivate: 1 to 64 bytes
  std::string policy;           ///< create
  std::uint64_t counter = 0;    ///< use, revoke, regenerate
  std::uint32_t assignment = 0; ///< of the counter; 0 = whichever is the present one
  std::string idempotency_ref;  ///< 16 bytes, or empty; create, use, regenerate
  std::string fingerprint;      ///< 32 bytes with a reference
};

struct vid_result {
  identifiers::holder of; ///< the VIDs that the action was about; see vid_answer in messages.hpp
  bool replayed = false;
};

struct resolved_vid {
  std::string holder;
  identifiers::held_vid vid;
};

class vid_door {
public:
  /// @param issuers of the type whose policies these are, in the order of their numbers; their commit log and clocks
  /// must live longer.
  vid_door(std::vector<std::shared_ptr<const type_context>> issuers, std::shared_ptr<runtime::reply_gate> gate);
  ~vid_door();

  [[nodiscard]] const identifiers::id_type& type() const noexcept;
  [[nodiscard]] const identifiers::vid_policies& policies() const noexcept;

  /// The counter of the identifier with this text, whether it was made here or imported; nothing for what is none of
  /// the type and was not imported. Errors: corrupt, io.
  [[nodiscard]] result<std::optional<std::uint64_t>> locate(std::string_view id) const;
  /// Durable rows. A holder that nobody knows has no VIDs. Errors: corrupt, io.
  [[nodiscard]] result<identifiers::holder> find(const std::string& holder) const;
  [[nodiscard]] result<std::optional<resolved_vid>> resolve(std::uint64_t counter) const;

  /// Blocks the calling thread until the answer or the deadline. After the deadline the outcome is unknown.
  [[nodiscard]] result<vid_result> change(const vid_call& what, const caller& who);

private:
  /// Which pool keeps the row of this holder, and issues for it. An identifier's pool is that of its holder.
  [[nodiscard]] const type_context& serving(const std::string& holder) const noexcept;
  [[nodiscard]] result<const type_context*> serving(std::uint64_t counter) const;

  std::vector<std::shared_ptr<const type_context>> issuers_;
  std::vector<storage::id_partition> parts_; ///< of the issuers
  std::shared_ptr<runtime::reply_gate> gate_;
};

} // namespace matricula::actors
