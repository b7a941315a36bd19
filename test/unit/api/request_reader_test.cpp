#include "api/request_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace matricula::api {
namespace {

constexpr std::size_t body_bytes_max = 600;
constexpr head_limits limits{.bytes_max = 400, .fields_max = 8, .target_bytes_max = 60};

/// All that a reader makes of `bytes` when it gets them in pieces that end at `cuts`: a line for each request, and how
/// it ends.
std::string outcome_of(std::string_view bytes, const std::vector<std::size_t>& cuts) {
  request_reader reader(limits);
  std::string seen;
  std::size_t from = 0;
  auto stands = reader.now();
  for (std::size_t piece = 0; piece <= cuts.size(); ++piece) {
    const auto until = piece < cuts.size() ? cuts[piece] : bytes.size();
    stands = reader.feed(bytes.substr(from, until - from));
    from = until;
    for (;;) {
      if (stands == request_reader::state::has_head) {
        const auto& head = reader.head();
        seen.append(head.method).append(" ").append(head.target);
        for (const auto& [name, value] : head.fields) seen.append(" ").append(name).append("=").append(value);
        stands = reader.expect_body(body_bytes_max);
      } else if (stands == request_reader::state::whole) {
        seen.append(" [").append(reader.body()).append("]\n");
        stands = reader.next();
      } else {
        break;
      }
    }
    if (stands == request_reader::state::refused) {
      const auto& why = reader.why_refused();
      return seen + "refused " + std::to_string(why.status) + " " + why.cause.message;
    }
  }
  return seen + (reader.is_between() ? "between" : "cut off");
}

TEST(request_reader, reads_requests_behind_one_another) {
  EXPECT_EQ(
      outcome_of("\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n"
                 "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
                 "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n"
                 "GET /d",
                 {}),
      "GET /a Host=x []\n"
      "POST /b Host=x Content-Length=2 [hi]\n"
      "POST /c Host=x Transfer-Encoding=chunked [abc]\n"
      "cut off");
}

TEST(request_reader, refuses_an_announced_body_before_it_comes) {
  EXPECT_EQ(outcome_of("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 601\r\n\r\n", {}),
            "POST /b Host=x Content-Length=601refused 413 The body is over 600 bytes.");
}

TEST(request_reader, holds_little_memory_between_requests) {
  request_reader reader({});
  reader.feed("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
  ASSERT_EQ(reader.expect_body(100'000), request_reader::state::body);
  EXPECT_LT(reader.held_bytes(), 2'000u) << "what is announced takes nothing";
  ASSERT_EQ(reader.feed(std::string(100'000, 'x')), request_reader::state::whole);
  EXPECT_GE(reader.held_bytes(), 100'000u);
  EXPECT_EQ(reader.next(), request_reader::state::head);
  EXPECT_LT(reader.held_bytes(), 9'000u);
}

/// Requests, good and bad, put together from pieces that matter, with bytes changed here and there.
class byte_maker {
public:
  explicit byte_maker(unsigned seed) : random_(seed) {}
  std::size_t up_to(std::size_t n) { return random_() % n; }

  std::string bytes() {
    std::string all;
    for (auto left = 1 + up_to(4); left > 0; --left) all += request();
    for (auto changes = up_to(3) == 0 ? 1 + up_to(3) : 0; changes > 0; --changes) switch (up_to(3)) {
      case 0:
        all[up_to(all.size())] = static_cast<char>(random_());
        break;
      case 1:
        all.erase(up_to(all.size()), 1 + up_to(4));
        break;
      default:
        all.insert(up_to(all.size()), any({"\r\n", "\r", "\n", "\r\n\r\n", ":", " ", "0"}));
      }
    return all;
  }

  std::vector<std::size_t> cuts(std::size_t size) {
    std::vector<std::size_t> at;
    if (up_to(4) == 0) { // each byte alone
      for (std::size_t i = 1; i < size; ++i) at.push_back(i);
      return at;
    }
    for (auto n = up_to(12); n > 0; --n) at.push_back(up_to(size + 1));
    std::ranges::sort(at);
    return at;
  }

private:
  std::string any(std::initializer_list<const char*> of) {
    return *std::next(of.begin(), static_cast<long>(up_to(of.size())));
  }

  std::string request() {
    std::string text = any({"", "", "", "\r\n", "\r\n\r\n"});
    text += any({"GET", "POST", "PUT", "get", "BREW"}) + " /" + std::string(up_to(4) == 0 ? up_to(80) : 3, 'p') +
            " HTTP/1." + any({"1", "1", "1", "0"}) + "\r\n";
    if (up_to(10) != 0) text += "Host: x\r\n";
    for (auto n = up_to(4); n > 0; --n) text += any({"A: b\r\n", "B:\t \r\n", "Expect: 100-continue\r\n", "C: \r\n"});
    if (up_to(10) == 0) text += "F: " + std::string(up_to(500), 'f') + "\r\n";
    switch (up_to(4)) {
    case 0:
      return text + "\r\n";
    case 1: {
      const auto size = up_to(8) == 0 ? up_to(700) : up_to(20);
      return text + "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'b');
    }
    default:
      return text + "Transfer-Encoding: chunked\r\n\r\n" + chunks();
    }
  }

  std::string chunks() {
    std::string text;
    for (auto n = up_to(4); n > 0; --n) {
      const auto size = 1 + (up_to(8) == 0 ? up_to(400) : up_to(20));
      static constexpr char hex[] = "0123456789abcdef";
      std::string digits;
      for (auto rest = size; rest > 0; rest /= 16) digits.insert(digits.begin(), hex[rest % 16]);
      text += digits;
      if (up_to(6) == 0) text += ";" + std::string(up_to(260), 'e');
      text += "\r\n" + std::string(size, 'c') + "\r\n";
    }
    text += "0\r\n";
    if (up_to(4) == 0) text += "T: " + std::string(up_to(3) == 0 ? up_to(4'200) : 5, 't') + "\r\n";
    return text + "\r\n";
  }

  std::mt19937 random_;
};

TEST(request_reader, reads_the_same_whatever_the_pieces_in_which_bytes_come) {
  std::size_t whole = 0, refused = 0;
  for (unsigned seed = 1; seed <= 20'000; ++seed) {
    byte_maker make(seed);
    const auto bytes = make.bytes();
    const auto at_once = outcome_of(bytes, {});
    whole += at_once.contains("]\n") ? 1 : 0;
    refused += at_once.contains("refused") ? 1 : 0;
    ASSERT_EQ(outcome_of(bytes, make.cuts(bytes.size())), at_once) << "seed " << seed;
  }
  EXPECT_GT(whole, 5'000u);
  EXPECT_GT(refused, 5'000u);
}

} // namespace
} // namespace matricula::api
