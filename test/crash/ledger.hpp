/// What a node has acknowledged, as its clients saw it; and whether the node, started again, still says so.
#pragma once
#include "test/support/http_client.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace matricula::test {

class ledger {
public:
  /// Every acknowledged issue; its key when it had one.
  void issued(const std::string& type, const std::string& body, const std::string& key, const std::string& request);
  /// Before a change of state is sent: from now on the identifier may be in either state.
  void changing(const std::string& type, const std::string& id, const std::string& to);
  /// The change was acknowledged.
  void changed(const std::string& type, const std::string& id, const std::string& to);

  [[nodiscard]] std::size_t writes() const;
  [[nodiscard]] std::size_t identifiers() const;
  /// What was found wrong while recording: identifiers issued twice.
  [[nodiscard]] std::vector<std::string> violations() const;

  /// Asks the node for everything that was recorded since the last call, with so many threads, and for a sample of what
  /// is older. Returns every lie.
  [[nodiscard]] std::vector<std::string> check(std::uint16_t port, const std::string& token, unsigned threads,
                                               std::size_t sample_of_older);

private:
  struct holding {
    std::string type;
    std::uint32_t assignment = 1;
    std::set<std::string> states; ///< any of these is true to what was acknowledged
  };
  struct keyed {
    std::string type, key, request, body;
    std::vector<std::string> ids;
    std::vector<std::uint32_t> assignments;
  };
  static void check_one(http_client& http, const std::string& id, const holding& held, std::vector<std::string>& lies);
  void check_key(http_client& http, const keyed& one, std::vector<std::string>& lies) const;

  mutable std::mutex guard_;
  std::map<std::string, holding> held_;
  std::vector<std::string> order_; ///< of issue
  std::vector<keyed> keys_;
  std::size_t checked_ids_ = 0, checked_keys_ = 0;
  std::size_t writes_ = 0;
  std::vector<std::string> violations_;
};

} // namespace matricula::test
