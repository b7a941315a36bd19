#include "connectors/config_server.hpp"

#include "foundation/log.hpp"
#include "foundation/thread.hpp"
#include "storage/durable_file.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace matricula::connectors {

using std::chrono::milliseconds;

namespace {
constexpr std::size_t kept_bytes_max = 64 * 1024;
constexpr milliseconds first_retry{1'000};
} // namespace

struct config_server::inside {
  explicit inside(config_server_options o) : options(std::move(o)) {}

  const config_server_options options;
  mutable std::mutex guard;
  std::condition_variable work;
  mosip_limits values;
  std::optional<timestamp> taken_at;
  std::vector<std::string> refused_before; ///< told once, until something else is wrong
  std::uint64_t failures = 0;
  std::uint64_t failures_in_a_row = 0;
  std::uint64_t refused = 0;
  bool stopping = false;
  http_text* running = nullptr;
  std::thread thread;

  result<void> ask();
  void take_what_was_kept();
  void keep(const mosip_limits::good_values& good, timestamp at) const;
  void run(const std::function<void(const limits_of_types&)>& changed);
};

result<void> config_server::inside::ask() {
  http_text question(options.from, document_bytes_max);
  {
    const std::scoped_lock hold(guard);
    if (stopping) return fail(errc::unavailable, "The node is stopping.");
    running = &question;
  }
  const auto text = question.run(options.at_most);
  const auto found = text ? parse_spring_document(*text) : std::unexpected(text.error());
  const auto at = options.time->wall();
  std::unique_lock hold(guard);
  running = nullptr;
  if (!found) {
    ++failures;
    ++failures_in_a_row;
    return std::unexpected(found.error());
  }
  failures_in_a_row = 0;
  auto wrong = values.take(*found);
  refused += wrong.size();
  if (wrong != refused_before)
    for (const auto& one : wrong) log::warning("config_server.value_refused", one);
  refused_before = std::move(wrong);
  taken_at = at;
  const auto good = values.good();
  hold.unlock();
  keep(good, at);
  return {};
}

void config_server::inside::keep(const mosip_limits::good_values& good, timestamp at) const {
  auto file = storage::durable_file::create(options.kept_in);
  auto done = file ? file->write(to_text(good, at.time_since_epoch().count())) : std::unexpected(file.error());
  if (done) done = file->publish();
  if (!done) log::warning("config_server.not_kept", done.error().message);
}

void config_server::inside::take_what_was_kept() {
  const auto text = storage::read_small_file(options.kept_in, kept_bytes_max);
  if (!text && text.error().code == errc::not_found) return;
  const auto kept = text ? kept_values_from(*text) : std::unexpected(text.error());
  if (!kept) return log::warning("config_server.kept_unreadable", kept.error().message);
  const std::scoped_lock hold(guard);
  values = mosip_limits(kept->values);
  taken_at = timestamp{milliseconds{kept->taken_at_ms}};
}

void config_server::inside::run(const std::function<void(const limits_of_types&)>& changed) {
  name_this_thread("config-server");
  std::unique_lock hold(guard);
  for (;;) {
    auto wait = options.every;
    if (failures_in_a_row > 0)
      wait = std::min(wait, first_retry * (1 << std::min<std::uint64_t>(failures_in_a_row - 1, 10)));
    if (work.wait_for(hold, wait, [this] { return stopping; })) return;
    const auto before = values.limits();
    hold.unlock();
    const auto asked = ask();
    hold.lock();
    if (stopping) return;
    if (!asked)
      log::error("config_server.failed", asked.error().message + " The values of before apply.",
                 {{"failures_in_a_row", failures_in_a_row}});
    const auto now = values.limits();
    if (now == before) continue;
    hold.unlock();
    changed(now);
    hold.lock();
  }
}

config_server::config_server(config_server_options options) : in_(std::make_unique<inside>(std::move(options))) {
  require(in_->options.time != nullptr, "a configuration server needs a clock");
}
config_server::~config_server() { stop(); }

void config_server::ask_first() {
  // Before: of what the server says now, a value may be wrong and its last good one needed.
  in_->take_what_was_kept();
  const auto asked = in_->ask();
  if (asked) return;
  log::error("config_server.failed", asked.error().message, {{"failures_in_a_row", 1}});
  const auto kept = now();
  if (kept.age >= milliseconds{0})
    log::warning("config_server.kept_used", "The configuration server's last good values are used.",
                 {{"age_s", kept.age / std::chrono::seconds(1)}});
}

void config_server::go_on(std::function<void(const limits_of_types&)> changed) {
  in_->thread = std::thread([in = in_.get(), changed = std::move(changed)] { in->run(changed); });
}

void config_server::stop() {
  {
    const std::scoped_lock hold(in_->guard);
    in_->stopping = true;
    if (in_->running) in_->running->stop();
    in_->work.notify_all();
  }
  if (in_->thread.joinable()) in_->thread.join();
}

limits_of_types config_server::limits() const {
  const std::scoped_lock hold(in_->guard);
  return in_->values.limits();
}

config_server::state config_server::now() const {
  const std::scoped_lock hold(in_->guard);
  state out{in_->failures, in_->refused, milliseconds{-1}};
  if (in_->taken_at)
    out.age =
        std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(in_->options.time->wall() - *in_->taken_at));
  return out;
}

} // namespace matricula::connectors
