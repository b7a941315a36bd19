#include "actors/registrants/chosen_id_handler.hpp"

#include "actors/registrants/registrant_task.hpp"

#include <utility>

namespace matricula::actors {

void chosen_id_handler::run(const leased_task& what, done_callback done) {
  const auto found = registrant_of_task(*queue_, what.task);
  if (!found) return done(found.error());
  if (found->generator.empty()) return local_->run(what, std::move(done));
  const auto of = remote_.find(found->generator);
  if (of == remote_.end()) return done(no_generator(*found));
  of->second->run(what, std::move(done));
}

void chosen_id_handler::stop() {
  local_->stop();
  for (const auto& [name, handler] : remote_) handler->stop();
}

} // namespace matricula::actors
