/// How the handlers of a writer answer.
#pragma once
#include "actors/verdict_error.hpp"
#include "runtime/reply.hpp"
#include "storage/commit_log.hpp"

#include <caf/unit.hpp>

#include <string_view>
#include <type_traits>
#include <utility>

namespace matricula::actors {

/// Gives `answer` when the write that it rests on is durable. @param advice one of verdict_error.hpp
template <class T>
[[nodiscard]] storage::completion<storage::verdict>
when_durable(runtime::reply_to<T> reply, std::type_identity_t<result<T>> answer, std::string_view advice) {
  return [reply = std::move(reply), answer = std::move(answer), advice](storage::verdict v) mutable noexcept {
    if (v == storage::verdict::durable)
      reply.deliver(std::move(answer));
    else
      reply.deliver(std::unexpected(verdict_error(v, advice)));
  };
}

/// For `return refuse(request.reply, why)` in a handler.
template <class T>
caf::unit_t refuse(const runtime::reply_to<T>& reply, error why) {
  reply.deliver(std::unexpected(std::move(why)));
  return caf::unit;
}

} // namespace matricula::actors
