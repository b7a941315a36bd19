#include "storage/commit_log.hpp"

#include <utility>

namespace matricula::storage {

permit::permit(permit&& other) noexcept
    : log_(std::exchange(other.log_, nullptr)), tenure_(other.tenure_), bytes_(other.bytes_) {}

permit& permit::operator=(permit&& other) noexcept {
  if (this == &other) return *this;
  if (log_) log_->give_back(tenure_, bytes_);
  log_ = std::exchange(other.log_, nullptr);
  tenure_ = other.tenure_;
  bytes_ = other.bytes_;
  return *this;
}

permit::~permit() {
  if (log_) log_->give_back(tenure_, bytes_);
}

} // namespace matricula::storage
