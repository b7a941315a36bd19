#include "runtime/reply.hpp"

#include <gtest/gtest.h>

#include <future>
#include <vector>

namespace matricula::runtime {
namespace {

class notes final : public reply_listener {
public:
  void note(std::uint64_t token) noexcept override { tokens.push_back(token); }
  void wake() noexcept override { ++woken; }
  std::vector<std::uint64_t> tokens;
  int woken = 0;
};

std::shared_ptr<reply_cell<int>> cell_of(const std::shared_ptr<notes>& who, std::uint64_t token) {
  return std::make_shared<reply_cell<int>>(reply_notice{who, token});
}

TEST(reply, tells_its_listener_once) {
  const auto who = std::make_shared<notes>();
  const auto cell = cell_of(who, 7);
  EXPECT_FALSE(cell->ready());
  cell->deliver(1);
  cell->deliver(2);
  EXPECT_EQ(who->tokens, std::vector<std::uint64_t>{7});
  EXPECT_EQ(who->woken, 1);
  EXPECT_EQ(cell->take().value(), 1);
}

TEST(reply, wakes_each_listener_once_a_group) {
  const auto one = std::make_shared<notes>(), other = std::make_shared<notes>(), none = std::make_shared<notes>();
  reply_gate::begin_group();
  reply_gate::begin_group();
  for (std::uint64_t i = 0; i < 5; ++i) cell_of(i % 2 == 0 ? one : other, i)->deliver(0);
  reply_gate::end_group();
  EXPECT_EQ(one->woken + other->woken, 0) << "the outer group goes on";
  reply_gate::end_group();
  EXPECT_EQ(one->tokens, (std::vector<std::uint64_t>{0, 2, 4}));
  EXPECT_EQ(other->tokens, (std::vector<std::uint64_t>{1, 3}));
  EXPECT_EQ(one->woken, 1);
  EXPECT_EQ(other->woken, 1);
  EXPECT_EQ(none->woken, 0);
}

TEST(reply, that_nobody_can_give_any_more_is_told_as_unavailable) {
  const auto who = std::make_shared<notes>();
  const auto cell = cell_of(who, 3);
  {
    const reply_to<int> lost(cell);
  }
  ASSERT_EQ(who->tokens, std::vector<std::uint64_t>{3});
  EXPECT_EQ(cell->take().error().code, errc::unavailable);
}

TEST(reply, still_wakes_a_thread_that_waits_for_it) {
  const auto cell = std::make_shared<reply_cell<int>>(std::make_shared<reply_gate>());
  auto waits = std::async(std::launch::async, [cell] {
    const auto* answer = cell->wait_for(std::chrono::seconds(20));
    return answer ? answer->value() : 0;
  });
  cell->deliver(5);
  EXPECT_EQ(waits.get(), 5);
}

} // namespace
} // namespace matricula::runtime
