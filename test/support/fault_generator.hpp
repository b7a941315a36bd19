/// A generator of identifiers that fails on purpose: a real HTTP server on a port of its own that speaks as MOSIP's and
/// as OpenG2P's generator do, hands out tokens, and keeps its own count of what it gave away. A test compares that
/// count with what the node says.
///
///   fault_generator other({.needs_token = true});
///   other.script(fault_generator::call::issue, {fault::lost, fault::none});   // the next two calls
///   ... settings: generators.x.url = other.mosip_url(), token_url = other.token_url() ...
///   EXPECT_EQ(other.consumed(), 2U);      // the first one, too: only its answer was lost
///   EXPECT_EQ(other.undelivered(), 1U);   // and of that the node cannot know the identifier
///
/// Each identifier is handed out once in the life of a ledger. Thread safe.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace matricula::test {

/// What happens to one call. "Carried out" is: the identifier is consumed, or marked as assigned.
enum class fault : std::uint8_t {
  none,
  // Not carried out.
  reset_before,        ///< the connection is reset when the request has been read
  server_error_before, ///< 500
  pool_empty,          ///< issue: KER-UIG-001 with 200, IDG-001 with 503. Other calls: 500
  token_expired,       ///< all tokens end; 401
  held_before,         ///< nothing happens until `release`; then the connection is closed without an answer
  // Carried out, and the answer arrives.
  delayed, ///< after options.delay
  doubled, ///< twice, one after the other on the same connection
  // Carried out, and the answer tells nothing.
  lost,               ///< the connection is closed without an answer
  reset_after,        ///< it is reset
  server_error_after, ///< 500
  errors_in_200,      ///< 200 with response null and KER-UIG-005
  empty_body,         ///< 200
  null_response,      ///< 200 with response null and no errors
  without_id,         ///< 200 with a response that lacks the identifier
  garbage,            ///< 200 with bytes that are no JSON
  truncated,          ///< 200; the connection is closed before the end of the body
  slow_drip,          ///< 200; a byte now and then, until the other side has enough
  held_after,         ///< as held_before
};

struct fault_generator_options {
  /// Where what was given away is written down. A generator that is started with the same file goes on from there.
  /// Empty: it is remembered as long as the object lives.
  std::filesystem::path ledger = {};
  std::uint64_t pool_size = std::numeric_limits<std::uint64_t>::max(); ///< then none is available
  std::vector<std::string> id_types = {"farmer", "household"};         ///< OpenG2P's; others are answered 404
  bool needs_token = false; ///< MOSIP's routes: as a cookie; OpenG2P's never do
  std::string client_id = "matricula";
  std::string client_secret = "a secret & more";
  std::chrono::seconds token_lifetime{900}; ///< as it says; tokens end only by `expire_tokens` and token_expired
  std::chrono::milliseconds latency{0};     ///< of every issue and confirm
  std::chrono::milliseconds delay{200};     ///< of fault::delayed
  /// Issue and confirm without a script: so many of a thousand have a fault, which and when by the seed.
  std::uint32_t faults_per_mille = 0;
  std::vector<fault> random_faults = {};
  std::uint64_t seed = 1;
};

class fault_generator {
public:
  enum class call : std::uint8_t { issue, confirm, token };

  /// Listens on 127.0.0.1. Throws std::runtime_error.
  explicit fault_generator(fault_generator_options options = {});
  /// Stops.
  ~fault_generator();
  fault_generator(const fault_generator&) = delete;
  fault_generator& operator=(const fault_generator&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  [[nodiscard]] std::string mosip_url() const;   ///< of UINs
  [[nodiscard]] std::string openg2p_url() const; ///< what stands before /v1/idgenerator
  [[nodiscard]] std::string token_url() const;

  /// The faults of the next calls of a kind, in their order, put behind those that are still to come. After them there
  /// are none, or those of the seed.
  void script(call kind, const std::vector<fault>& next);
  void expire_tokens();
  /// MOSIP's job that moves what is assigned out of the pool's table: later calls about it get KER-UIG-001.
  void move_assigned();
  /// Ends all connections; later ones are refused. The ledger stays.
  void stop();

  [[nodiscard]] std::uint64_t consumed() const;          ///< identifiers given away, whether or not that arrived
  [[nodiscard]] std::vector<std::string> issued() const; ///< those, in their order
  [[nodiscard]] std::uint64_t assigned() const;          ///< by MOSIP's PUT
  [[nodiscard]] bool is_assigned(std::string_view id) const;
  /// Identifiers whose answer did not arrive whole. One that came late or on a connection that was given up counts as
  /// arrived: the generator cannot know better.
  [[nodiscard]] std::uint64_t undelivered() const;
  /// Issues that consumed nothing, of which the other side cannot know that.
  [[nodiscard]] std::uint64_t idle_and_unsaid() const;
  [[nodiscard]] std::uint64_t calls(call kind) const; ///< requests read, whatever became of them
  [[nodiscard]] std::uint64_t connections() const;    ///< accepted so far
  [[nodiscard]] std::uint64_t most_at_once() const;   ///< issue and confirm
  /// Until so many have been read. False: they did not come in time.
  [[nodiscard]] bool wait_for_calls(call kind, std::uint64_t n,
                                    std::chrono::milliseconds at_most = std::chrono::seconds(60)) const;
  /// Until a call is held by held_before or held_after. False: none was in time.
  [[nodiscard]] bool wait_until_one_is_held(std::chrono::milliseconds at_most = std::chrono::seconds(60)) const;
  void release(); ///< those that are held now

private:
  struct inside;
  std::unique_ptr<inside> in_;
};

} // namespace matricula::test
