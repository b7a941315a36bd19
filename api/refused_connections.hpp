/// Connections beyond what the server takes: each gets its answer at once and is closed when the peer has read it,
/// without holding a worker.
#pragma once
#include <chrono>
#include <cstddef>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

namespace matricula::api {

class refused_connections {
public:
  refused_connections();
  ~refused_connections();
  refused_connections(const refused_connections&) = delete;
  refused_connections& operator=(const refused_connections&) = delete;

  /// Takes over `socket`. Never blocks; with too many at once a socket is closed right after the answer.
  void refuse(int socket, std::string_view answer);

private:
  struct leaving {
    int socket;
    std::chrono::steady_clock::time_point until;
  };
  void run();
  std::mutex guard_;
  std::vector<leaving> fresh_;
  bool stopping_ = false;
  int wake_; ///< an eventfd
  std::thread thread_;
};

} // namespace matricula::api
