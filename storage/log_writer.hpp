/// The thread that drives a commit log in production.
#pragma once
#include "storage/local_log.hpp"

#include <thread>

namespace matricula::storage {

class log_writer {
public:
  /// Starts at once. @param driven must outlive the writer.
  explicit log_writer(local_log& driven);
  /// Stops the log, writes what is queued and ends the thread.
  ~log_writer();
  log_writer(const log_writer&) = delete;
  log_writer& operator=(const log_writer&) = delete;

private:
  local_log& log_;
  std::thread thread_;
};

} // namespace matricula::storage
