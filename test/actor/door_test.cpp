// What the door tells without waiting, and what it must read rows for.
#include "actors/identifiers/door.hpp"
#include "actors/identifiers/type_context.hpp"
#include "test/actor/stage.hpp"

#include <exception>

namespace matricula::actor_test {
namespace {

using identifiers::lifecycle;

stage_options uins(std::uint32_t issuers) {
  stage_options o;
  o.of = lifecycle::uin;
  o.length = 5;
  o.issuers = issuers;
  o.limits = {.refill_below = 20, .fill_to = 40};
  return o;
}

TEST(id_door, finds_what_is_to_be_changed_without_a_row_until_something_is_imported) {
  stage s(uins(1));
  const actors::id_door door(s.issuers(), nullptr);
  const auto& type = s.type().type;
  EXPECT_TRUE(door.reads_to_change(type)) << "nobody has said yet that nothing was imported";
  s.run();
  EXPECT_FALSE(door.reads_to_change(type));
  const auto id = s.issue_one({});
  s.trap(id); // whoever reads its row throws
  EXPECT_THROW((void)door.locate(type, id), std::exception);
  const auto counter = door.counter_of(type, id);
  ASSERT_TRUE(counter && *counter);
  EXPECT_EQ(**counter, s.place(id)->counter);
  const auto none = door.counter_of(type, "x");
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  s.mend();

  ASSERT_TRUE(s.import({"00000"})); // none of the type
  EXPECT_TRUE(door.reads_to_change(type));
  const auto imported = door.counter_of(type, "00000");
  ASSERT_TRUE(imported && *imported);
  EXPECT_TRUE(identifiers::is_import_slot(**imported));
  EXPECT_EQ(door.counter_of(type, id).value(), counter.value());
}

TEST(id_door, reads_which_of_several_issuers_has_what_is_to_be_changed) {
  stage s(uins(3));
  s.run();
  const actors::id_door door(s.issuers(), nullptr);
  EXPECT_TRUE(door.reads_to_change(s.type().type));
}

} // namespace
} // namespace matricula::actor_test
