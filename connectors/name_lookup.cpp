#include "connectors/name_lookup.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <mutex>
#include <netdb.h>

namespace matricula::connectors {

namespace {

constexpr std::chrono::milliseconds look_for_stop_every{50};
constexpr std::size_t abandoned_max = 16;

/// What glibc works on, perhaps longer than somebody waits.
struct lookup {
  std::string host, service;
  addrinfo hints{};
  gaicb work{};

  lookup(std::string h, std::uint16_t port) : host(std::move(h)), service(std::to_string(port)) {
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    work.ar_name = host.c_str();
    work.ar_service = service.c_str();
    work.ar_request = &hints;
  }
  lookup(const lookup&) = delete;
  lookup& operator=(const lookup&) = delete;
  ~lookup() {
    if (work.ar_result) ::freeaddrinfo(work.ar_result);
  }
};

/// Look-ups that nobody waits for any more and that cannot be called off.
class abandoned_lookups {
public:
  /// Forgets those that have ended. Whether there is room for another one.
  bool has_room() {
    const std::scoped_lock hold(guard_);
    std::erase_if(all_, [](const auto& one) { return ::gai_error(&one->work) != EAI_INPROGRESS; });
    return all_.size() < abandoned_max;
  }
  void keep(std::unique_ptr<lookup> one) {
    const std::scoped_lock hold(guard_);
    all_.push_back(std::move(one));
  }

private:
  std::mutex guard_;
  std::vector<std::unique_ptr<lookup>> all_;
};

abandoned_lookups& abandoned() {
  // Never destroyed: glibc may still write to them when the process ends.
  static auto& all = *new abandoned_lookups; // NOLINT(cppcoreguidelines-owning-memory)
  return all;
}

std::vector<socket_address> addresses_of(const addrinfo* list) {
  std::vector<socket_address> out;
  for (const auto* one = list; one != nullptr; one = one->ai_next) {
    socket_address address;
    if (one->ai_addrlen > sizeof address.bytes) continue;
    std::memcpy(&address.bytes, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
    out.push_back(address);
  }
  return out;
}

/// The addresses of a host that is an address itself; none of a name.
std::vector<socket_address> of_an_address(const lookup& what) {
  auto hints = what.hints;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  if (::getaddrinfo(what.host.c_str(), what.service.c_str(), &hints, &list) != 0) return {};
  auto out = addresses_of(list);
  ::freeaddrinfo(list);
  return out;
}

} // namespace

result<std::vector<socket_address>> look_up(const std::string& host, std::uint16_t port, deadline until,
                                            const stop_signal& stop) {
  auto one = std::make_unique<lookup>(host, port);
  if (auto known = of_an_address(*one); !known.empty()) return known;
  if (!abandoned().has_room())
    return fail(errc::unavailable, fmt::format("The name {} was not looked up: too many look-ups hang.", host));
  gaicb* work = &one->work;
  if (::getaddrinfo_a(GAI_NOWAIT, &work, 1, nullptr) != 0)
    return fail(errc::unavailable, fmt::format("The name {} cannot be looked up now.", host));
  const gaicb* const list[] = {work};
  while (::gai_error(work) == EAI_INPROGRESS) {
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero() || stop.raised()) break;
    const auto step = std::min<std::chrono::nanoseconds>(left, look_for_stop_every);
    const timespec wait{static_cast<time_t>(step / std::chrono::seconds(1)),
                        static_cast<long>((step % std::chrono::seconds(1)).count())};
    ::gai_suspend(static_cast<const gaicb* const*>(list), 1, &wait);
  }
  const int how = ::gai_error(work);
  if (how == EAI_INPROGRESS) {
    if (::gai_cancel(work) == EAI_NOTCANCELED) abandoned().keep(std::move(one));
    return fail(errc::unavailable, fmt::format("The name {} was not resolved in time.", host));
  }
  auto found = how == 0 ? addresses_of(work->ar_result) : std::vector<socket_address>{};
  if (found.empty())
    return fail(errc::not_found, fmt::format("The name {} has no address: {}.", host,
                                             how == 0 ? "none was given" : ::gai_strerror(how)));
  return found;
}

} // namespace matricula::connectors
