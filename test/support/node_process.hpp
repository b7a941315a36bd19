/// A real node as a child process, with a data folder, a key and tokens of its own. Whatever happens to the test, the
/// process ends with the object, and with the test program.
#pragma once
#include "test/support/http_client.hpp"
#include "test/support/scratch_directory.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace matricula::test {

/// The program under test: the environment variable MATRICULA_BINARY, or the one that was built with the tests.
[[nodiscard]] std::string matricula_binary();

/// Polls `condition` until it holds; false when it does not within `at_most`.
[[nodiscard]] bool eventually(const std::function<bool()>& condition,
                              std::chrono::milliseconds at_most = std::chrono::seconds(20));

struct finished_command {
  int status = -1;    ///< exit code, or 128 + signal
  std::string output; ///< standard output
  std::string errors; ///< standard error
};
/// Runs a program to its end.
[[nodiscard]] finished_command run_command(const std::vector<std::string>& words);

struct node_options {
  /// Text of a settings file; nothing: none.
  std::optional<std::string> config = std::nullopt;
  /// "section.key=value"
  std::vector<std::string> sets = {};
  /// Further words of the command line.
  std::vector<std::string> arguments = {};
  /// "NAME=value", added to the environment of the node.
  std::vector<std::string> environment = {};
  /// Where its state is; empty: a folder of its own that goes with it.
  std::filesystem::path data = {};
};

/// The pools of the types that a test does not use, small, so that a node is ready in a moment.
[[nodiscard]] std::vector<std::string> small_pools();

class node_process {
public:
  /// Makes the key and a token with the scope "*"; starts nothing. Throws std::runtime_error.
  explicit node_process(node_options options = {});
  /// Kills and reaps it.
  ~node_process();
  node_process(const node_process&) = delete;
  node_process& operator=(const node_process&) = delete;

  /// Starts it and waits until it has named its port. False (see `log()`) when it ended instead.
  [[nodiscard]] bool launch();
  /// `launch`, then waits for /readyz. Throws std::runtime_error with the log when that does not come about.
  void start();
  void signal(int number) const;
  /// SIGKILL, and waits for the end.
  void kill();
  /// SIGTERM, and waits for the end: its exit code, or 128 + signal.
  int stop();
  /// The exit code when it ends within `at_most`, else nothing.
  [[nodiscard]] std::optional<int> wait_for_end(std::chrono::milliseconds at_most);
  [[nodiscard]] bool running();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::string& token() const noexcept { return token_; }
  [[nodiscard]] http_client client() const { return http_client(port_, token_); }
  [[nodiscard]] const std::filesystem::path& data() const noexcept { return data_; }
  [[nodiscard]] std::filesystem::path key_file() const { return scratch_ / "key"; }
  [[nodiscard]] std::filesystem::path config_file() const { return scratch_ / "matricula.toml"; }
  [[nodiscard]] std::filesystem::path tokens_file() const { return scratch_ / "tokens"; }
  [[nodiscard]] const scratch_directory& scratch() const noexcept { return scratch_; }
  node_options& options() noexcept { return options_; }

  /// Adds a token; a running node knows it after a reload.
  [[nodiscard]] std::string make_token(const std::string& name, const std::string& scopes) const;
  /// Replaces the settings file; a running node knows it after a reload.
  void write_config(std::string_view text) const;

  /// What the present or last process has written.
  [[nodiscard]] std::string log() const;
  /// Whether a line with this event is in `log()`.
  [[nodiscard]] bool logged(std::string_view event) const;
  /// Its last lines, for messages.
  [[nodiscard]] std::string log_tail() const;

private:
  [[nodiscard]] std::vector<std::string> command() const;

  scratch_directory scratch_;
  node_options options_;
  std::filesystem::path data_;
  std::string token_;
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  int launches_ = 0;
};

} // namespace matricula::test
