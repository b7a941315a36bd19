#include "test/bridge/counting_generator.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sstream>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace matricula::test {

using registrants::call_outcome;
using registrants::generator_answer;

namespace {

/// Only one process at a time counts and adds.
class file_lock {
public:
  explicit file_lock(int fd) : fd_(fd) {
    while (::flock(fd_, LOCK_EX) != 0)
      if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "flock");
  }
  ~file_lock() { ::flock(fd_, LOCK_UN); }
  file_lock(const file_lock&) = delete;
  file_lock& operator=(const file_lock&) = delete;

private:
  int fd_;
};

} // namespace

counting_generator::counting_generator(std::filesystem::path calls, plan what, bool knows)
    : plan_(std::move(what)), knows_(knows), fd_(::open(calls.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "the file of calls");
}

counting_generator::~counting_generator() { ::close(fd_); }

/// What was added to the file since, by whichever process.
void counting_generator::read_on() {
  std::string text;
  std::array<char, 65'536> buffer{};
  for (;;) {
    const auto got = ::pread(fd_, buffer.data(), buffer.size(), read_to_ + static_cast<off_t>(text.size()));
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  text.resize(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  read_to_ += static_cast<std::int64_t>(text.size());
  std::istringstream in(text);
  for (std::string row; std::getline(in, row);) {
    std::istringstream words(row);
    line one;
    words >> one.what >> one.request >> one.id;
    if (one.what != 'C') {
      auto& known = requests_[one.request];
      ++known.asked;
      if (one.what == 'I') ++consumed_, known.id = one.id;
    }
    seen_.push_back(std::move(one));
  }
}

std::vector<counting_generator::line> counting_generator::lines() {
  const std::scoped_lock hold(guard_);
  read_on();
  return seen_;
}

void counting_generator::add(char what, std::string_view request, std::string_view id) const {
  std::string row(1, what);
  row.append(" ").append(request).append(" ").append(id).append("\n");
  // One write: a process that is killed has written all of it or nothing.
  if (::write(fd_, row.data(), row.size()) != static_cast<ssize_t>(row.size()))
    throw std::system_error(errno, std::generic_category(), "the file of calls");
}

generator_answer counting_generator::issue(std::string_view request) {
  on_issue();
  auto answer = decide(request);
  // Not a pause of the test: it is in this that processes are killed.
  if (latency.count() > 0) std::this_thread::sleep_for(latency);
  return answer;
}

generator_answer counting_generator::decide(std::string_view request) {
  const std::scoped_lock hold(guard_);
  const file_lock alone(fd_);
  read_on();
  const auto found = requests_.find(request);
  const auto before = found == requests_.end() ? history{} : found->second;
  const auto todo = plan_(request, before.asked + 1);
  if (todo == deed::give || todo == deed::give_late) {
    auto id = knows_ ? before.id : "";
    if (id.empty()) {
      id = name(consumed_ + 1);
      add('I', request, id);
    } else {
      add('A', request, "-");
    }
    if (todo == deed::give) return {call_outcome::done, id, {}, {}};
    return {call_outcome::unknown, {}, "The generator did not answer in 5 s.", {}};
  }
  add(todo == deed::be_silent ? 'S' : 'A', request, "-");
  switch (todo) {
  case deed::fail:
    return {call_outcome::failed, {}, "The generator cannot be reached.", {}};
  case deed::refuse:
    return {call_outcome::refused, {}, "KER-UIG-006: the generator is not set up.", {}};
  case deed::have_none:
    return {call_outcome::none_available, {}, "KER-UIG-001: no identifier is available.", {}};
  default:
    return {call_outcome::unknown, {}, "The generator did not answer in 5 s.", {}};
  }
}

generator_answer counting_generator::confirm(std::string_view id) {
  on_confirm();
  const auto todo = confirm_plan();
  const std::scoped_lock hold(guard_);
  const file_lock alone(fd_);
  if (todo == deed::give || todo == deed::give_late) add('C', "-", id);
  switch (todo) {
  case deed::give:
    return {call_outcome::done, {}, {}, {}};
  case deed::refuse:
    return {call_outcome::refused, {}, "KER-UIG-001: the identifier is not known.", {}};
  case deed::have_none:
    return {call_outcome::none_available, {}, "The generator is busy.", {}};
  case deed::fail:
    return {call_outcome::failed, {}, "The generator cannot be reached.", {}};
  default:
    return {call_outcome::unknown, {}, "The generator did not answer in 5 s.", {}};
  }
}

std::size_t counting_generator::calls() {
  const std::scoped_lock hold(guard_);
  read_on();
  return static_cast<std::size_t>(std::ranges::count_if(seen_, [](const line& l) { return l.what != 'C'; }));
}
std::size_t counting_generator::consumed() {
  const std::scoped_lock hold(guard_);
  read_on();
  return consumed_;
}
std::set<std::string> counting_generator::confirmed() {
  std::set<std::string> out;
  for (const auto& l : lines())
    if (l.what == 'C') out.insert(l.id);
  return out;
}

} // namespace matricula::test
