#include "actors/journal_keeper.hpp"

#include "foundation/log.hpp"

#include <caf/behavior.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>

namespace matricula::actors {

journal_keeper::journal_keeper(caf::actor_config& cfg, runtime::child_context context, journal_keeper_options options)
    : supervised_actor(cfg, std::move(context)), options_(std::move(options)) {}

caf::behavior journal_keeper::make_behavior() {
  for (const auto& chain : options_.chains)
    notes_.push_back(std::make_unique<storage::notebook>(
        *options_.log, chain.shard, fmt::format("journals/{}/{}", chain.shard.value, chain.number)));
  return {
      [this](const trim_journals&) {
        // A time that is not believed must not drop anything: it cannot be brought back.
        const auto now = options_.time->now();
        if (running_ || options_.retention <= milliseconds{0} || options_.time->suspect()) return;
        running_ = true;
        run_ = generation() << 32 | (run_ + 1);
        at_ = 0;
        dropped_ = 0;
        before_ = now - options_.retention;
        next_write();
      },
      [this](const journal_trimmed& step) {
        if (!running_ || step.run != run_) return;
        dropped_ += step.rows;
        // What could not be dropped now is dropped with the next run.
        if (!step.more || step.failed) ++at_;
        next_write();
      },
  };
}

void journal_keeper::next_write() {
  if (at_ == options_.chains.size()) {
    running_ = false;
    log::info("journals.trimmed", "Rows of the journals past their retention are gone.",
              {{"rows", dropped_}, {"before", to_rfc3339(before_)}});
    return;
  }
  const auto step = std::make_shared<journal_trimmed>(journal_trimmed{run_, 0, false, false});
  notes_[at_]->write(
      [step, chain = options_.chains[at_], before = before_](const storage::view& rows,
                                                             storage::batch& to) -> result<void> {
        const auto cut = storage::journal::trim(rows, to, chain, before, rows_in_a_write);
        if (!cut) return std::unexpected(cut.error());
        step->rows = cut->rows;
        step->more = cut->more;
        return {};
      },
      [step, self = caf::actor_cast<caf::actor>(this)](result<void> how) noexcept {
        if (!how) {
          log::error("journals.not_trimmed", how.error().message);
          *step = {step->run, 0, false, true};
        }
        caf::anon_send(self, *step);
      });
}

std::string journal_keeper::describe() const {
  return fmt::format(R"({{"retention_days":{},"running":{},"dropped":{}}})",
                     std::chrono::duration_cast<std::chrono::days>(options_.retention).count(), running_, dropped_);
}

} // namespace matricula::actors
