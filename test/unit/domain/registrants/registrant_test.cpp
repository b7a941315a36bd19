#include "domain/registrants/generator_call.hpp"
#include "domain/registrants/registrant.hpp"

#include <gtest/gtest.h>

namespace matricula::registrants {
namespace {

const timestamp noon{milliseconds{1'700'000'000'000}};

registrant somebody() {
  registrant r;
  r.id = 17;
  r.kind = "individual";
  r.id_type = "uin";
  r.generator = "mosip";
  r.reference = "ref\xc3\xa9";
  r.unique_id = "5164721753";
  r.assignment = 3;
  r.progress = id_progress::assigned;
  r.request_task = 4;
  r.update_task = 5;
  r.created_at = noon;
  r.changed_at = noon + milliseconds{1};
  r.created_by = "clerk";
  r.tenant = "default";
  return r;
}

TEST(registrant, is_read_as_it_was_written_and_not_otherwise) {
  const auto bytes = encode(somebody());
  EXPECT_EQ(decode_registrant(bytes).value(), somebody());
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(decode_registrant(std::string_view(bytes).substr(0, n)).error().code, errc::corrupt) << n;
  EXPECT_EQ(decode_registrant(bytes + "x").error().code, errc::corrupt);
  auto other = bytes;
  other[0] = 9; // version
  EXPECT_EQ(decode_registrant(other).error().code, errc::corrupt);
  other = bytes;
  other[1] = 6; // progress
  EXPECT_EQ(decode_registrant(other).error().code, errc::corrupt);
}

TEST(registrant, has_words_for_its_progress) {
  for (const auto p :
       {id_progress::none, id_progress::requested, id_progress::assigned, id_progress::confirmed, id_progress::failed})
    EXPECT_EQ(parse_id_progress(to_string(p)), p);
  EXPECT_FALSE(parse_id_progress("unknown"));
  EXPECT_EQ(to_string(static_cast<id_progress>(77)), "unknown");
}

TEST(registrant, is_named_by_the_key_of_its_tasks) {
  EXPECT_EQ(task_key_of(17), "registrant:17");
  EXPECT_EQ(task_payload_of(17), R"({"registrant_id":17})");
  EXPECT_EQ(registrant_of_key("registrant:17"), 17U);
  EXPECT_EQ(registrant_of_key(task_key_of(UINT64_MAX)), UINT64_MAX);
  for (const auto* bad : {"", "registrant:", "registrant:0", "registrant:017", "registrant:1x", "registrant:-1",
                          "registrant:18446744073709551616", "17", "Registrant:17"})
    EXPECT_FALSE(registrant_of_key(bad)) << bad;
}

TEST(generator_call, is_read_as_it_was_written_and_not_otherwise) {
  generator_call c;
  c.number = 3;
  c.registrant = 17;
  c.task = 4;
  c.generator = "mosip";
  c.began_at = noon;
  EXPECT_EQ(decode_generator_call(encode(c)).value(), c);
  c.state = call_state::resolved;
  c.doubted_at = noon + milliseconds{1};
  c.resolved_at = noon + milliseconds{2};
  c.reason = "no answer";
  c.unique_id = "5164721753";
  c.resolved_by = "operator";
  c.note = "the log says so";
  const auto bytes = encode(c);
  EXPECT_EQ(decode_generator_call(bytes).value(), c);
  for (std::size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(decode_generator_call(std::string_view(bytes).substr(0, n)).error().code, errc::corrupt) << n;
  for (const auto s : {call_state::open, call_state::answered, call_state::in_doubt, call_state::resolved})
    EXPECT_EQ(parse_call_state(to_string(s)), s);
}

} // namespace
} // namespace matricula::registrants
