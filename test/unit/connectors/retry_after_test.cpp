#include "connectors/retry_after.hpp"

#include <gtest/gtest.h>

namespace matricula::connectors {

using namespace std::chrono_literals;

TEST(retry_after, is_seconds_or_a_date_and_never_longer_than_the_limit) {
  const auto now = parse_rfc3339("1994-11-06T08:49:07.000Z").value();
  const auto read = [now](const char* text) { return parse_retry_after(text, now, 1h); };
  EXPECT_EQ(read("1"), 1s);
  EXPECT_EQ(read("120"), 120s);
  EXPECT_EQ(read(" 120 "), 120s);
  EXPECT_EQ(read("3601"), 1h);
  EXPECT_EQ(read("99999999999999999999"), 1h);
  EXPECT_EQ(read("Sun, 06 Nov 1994 08:49:37 GMT"), 30s);
  EXPECT_EQ(read("Fri, 31 Dec 9999 23:59:59 GMT"), 1h);
  for (const auto* no_wait : {"0", "000", "Sun, 06 Nov 1994 08:49:00 GMT", "Sun, 06 Nov 1994 08:49:07 GMT"})
    EXPECT_FALSE(read(no_wait)) << no_wait;
  for (const auto* bad : {"", "-1", "1.5", "soon", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
                          "Sun, 06 Nov 1994 08:49:37 CET", "Sunday, 06-Nov-94 08:49:37 GMT",
                          "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:-9:37 GMT"})
    EXPECT_FALSE(read(bad)) << bad;
}

} // namespace matricula::connectors
