/// Remembers, durably, when each schedule last ran.
#pragma once
#include "runtime/scheduler.hpp"
#include "storage/notebook.hpp"

#include <functional>
#include <string>

namespace matricula::actors {

class schedule_book final : public runtime::schedule_memory {
public:
  explicit schedule_book(storage::commit_log& log);
  void load(std::function<void(result<last_runs>)> done) override;
  void remember(const std::string& job, timestamp last_run, std::function<void(result<void>)> done) override;

private:
  storage::notebook notes_;
};

} // namespace matricula::actors
