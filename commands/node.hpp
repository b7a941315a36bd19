/// A whole node: store, commit log, actors and HTTP server, wired from the settings. Nothing else knows all of them.
#pragma once
#include "config/load.hpp"
#include "foundation/error.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace matricula::commands {

struct node_options {
  config::loaded settings;
  /// Loads the settings again, from where they came.
  std::function<config::load_result()> load_again;
  /// Adds the route that benchmarks compare with.
  bool bench_route = false;
  std::string version; ///< of the program
};

class node {
public:
  /// Everything up to accepting requests. Errors carry what to do; nothing is left behind.
  [[nodiscard]] static result<std::unique_ptr<node>> start(node_options options);
  ~node();
  node(const node&) = delete;
  node& operator=(const node&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept;
  /// Takes over what may change while the node runs; the keys that did. Thread safe.
  [[nodiscard]] result<std::vector<std::string>> reload();
  /// Unready, stop accepting, finish what is in flight, stop the actors, write what is queued, close the store.
  void stop();

private:
  struct parts;
  explicit node(std::unique_ptr<parts> p);
  std::unique_ptr<parts> parts_;
};

} // namespace matricula::commands
