/// A PostgreSQL of a test's own, in a scratch folder, reached by its socket alone. It ends with the object, and with
/// the test program.
#pragma once
#include "test/support/scratch_directory.hpp"

#include <string>
#include <string_view>
#include <sys/types.h>

namespace matricula::test {

class postgres_server {
public:
  /// Makes a cluster and starts it. Throws std::runtime_error with the server's log when that fails.
  postgres_server();
  ~postgres_server();
  postgres_server(const postgres_server&) = delete;
  postgres_server& operator=(const postgres_server&) = delete;

  /// Returns when it takes connections. Throws std::runtime_error.
  void start();
  /// Sessions are ended, what they were about is rolled back.
  void stop();
  /// SIGKILL to all of its processes, gone when this returns: it recovers from its log when it starts again.
  void kill();

  /// For libpq. @param user "postgres" may do everything; nobody needs a password.
  [[nodiscard]] std::string connection(std::string_view user = "postgres") const;

private:
  void end_by(int signal);
  [[nodiscard]] std::string log_tail() const;

  scratch_directory scratch_;
  pid_t pid_ = -1;
};

} // namespace matricula::test
