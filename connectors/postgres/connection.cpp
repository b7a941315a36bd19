#include "connectors/postgres/connection.hpp"

#include "domain/alerts/alert.hpp"

#include <charconv>
#include <chrono>
#include <libpq-fe.h>
#include <poll.h>
#include <vector>

namespace matricula::connectors::postgres {

using std::chrono::steady_clock;

namespace {

constexpr std::size_t message_bytes_max = 400;

/// The first line, within bounds and as whole characters: what follows may quote values, and what is cut inside of a
/// character is refused where it is written.
std::string first_line(std::string_view text) {
  return alerts::one_line(text.substr(0, text.find('\n')), message_bytes_max);
}

failure meaning_of(std::string_view state) {
  if (state == "55P03" || state == "40P01" || state == "40001" || state == "57014") return failure::locked;
  if (state == "23505") return failure::not_unique;
  // The server is going down or starting, or ended this session.
  if (state.starts_with("08") || state == "57P01" || state == "57P02" || state == "57P03" || state == "25P03")
    return failure::lost;
  return failure::refused;
}

sql_error error_of(const pg_result* r) {
  const char* state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
  sql_error e;
  e.state = state ? state : "";
  e.message = first_line(message ? message : PQresultErrorMessage(r));
  e.what = e.state.empty() ? failure::lost : meaning_of(e.state);
  return e;
}

} // namespace

void rows::clear::operator()(pg_result* r) const noexcept { PQclear(r); }
std::size_t rows::size() const noexcept { return static_cast<std::size_t>(PQntuples(from_.get())); }
std::size_t rows::columns() const noexcept { return static_cast<std::size_t>(PQnfields(from_.get())); }
std::optional<std::string_view> rows::at(std::size_t row, std::size_t column) const {
  const int r = static_cast<int>(row), c = static_cast<int>(column);
  if (PQgetisnull(from_.get(), r, c) != 0) return std::nullopt;
  return std::string_view(PQgetvalue(from_.get(), r, c), static_cast<std::size_t>(PQgetlength(from_.get(), r, c)));
}
std::string rows::text(std::size_t row, std::size_t column) const { return std::string(at(row, column).value_or("")); }
std::int64_t rows::number(std::size_t row, std::size_t column) const {
  const auto digits = at(row, column).value_or("");
  std::int64_t n = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return problem == std::errc{} && end == digits.data() + digits.size() ? n : 0;
}
bool rows::flag(std::size_t row, std::size_t column) const { return at(row, column) == "t"; }
std::uint64_t rows::changed() const noexcept {
  const std::string_view digits = PQcmdTuples(from_.get());
  std::uint64_t n = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), n);
  return n;
}

void connection::finish::operator()(pg_conn* c) const noexcept { PQfinish(c); }

sql_error connection::lost(std::string_view why) const {
  const auto said = first_line(PQerrorMessage(conn_.get()));
  return {failure::lost, {}, said.empty() ? std::string(why) : said};
}

sql_result<connection> connection::open(const connection_options& options, const stop_signal& stop,
                                        const stop_signal& cut) {
  const auto until = steady_clock::now() + options.connect_at_most;
  // What comes later in the list wins over what `connection` says.
  std::vector<const char*> words{"dbname", "client_encoding", "fallback_application_name"};
  std::vector<const char*> values{options.connection.c_str(), "UTF8", "matricula"};
  if (!options.password.empty()) {
    words.push_back("password");
    values.push_back(options.password.c_str());
  }
  words.push_back(nullptr);
  values.push_back(nullptr);
  connection out(PQconnectStartParams(words.data(), values.data(), 1), options.statement_at_most, cut);
  auto* c = out.conn_.get();
  if (c == nullptr) return std::unexpected(sql_error{failure::lost, {}, "no memory for a connection"});
  if (PQstatus(c) == CONNECTION_BAD) return std::unexpected(out.lost("the connection settings cannot be used"));
  for (auto next = PGRES_POLLING_WRITING; next != PGRES_POLLING_OK;) {
    const auto found = wait_for(PQsocket(c), next == PGRES_POLLING_READING ? POLLIN : POLLOUT, until, stop);
    if (found == waited::late) return std::unexpected(sql_error{failure::lost, {}, "no connection in time"});
    if (found == waited::stopped) return std::unexpected(sql_error{failure::lost, {}, "stopped while connecting"});
    next = PQconnectPoll(c);
    if (next == PGRES_POLLING_FAILED) return std::unexpected(out.lost("no connection"));
  }
  if (PQsetnonblocking(c, 1) != 0) return std::unexpected(out.lost("no connection"));
  // The server ends what has become pointless before this side stops waiting, and a session that holds locks and does
  // nothing. Times that OpenG2P keeps are UTC without a zone.
  auto set = out.run("SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false), "
                     "set_config('idle_in_transaction_session_timeout', $3, false), "
                     "set_config('TimeZone', 'UTC', false), set_config('standard_conforming_strings', 'on', false)",
                     options.statement_at_most / 2, options.lock_at_most, options.statement_at_most * 3);
  if (!set) return std::unexpected(set.error());
  return out;
}

sql_result<rows> connection::run_with(const std::string& sql, std::span<const parameter> values) {
  std::vector<const char*> texts;
  for (const auto& v : values) texts.push_back(v.data());
  if (PQsendQueryParams(conn_.get(), sql.c_str(), static_cast<int>(texts.size()), nullptr, texts.data(), nullptr,
                        nullptr, 0) != 1)
    return std::unexpected(lost("the statement could not be sent"));
  return collect();
}

sql_result<void> connection::run_script(const std::string& sql) {
  if (PQsendQuery(conn_.get(), sql.c_str()) != 1) return std::unexpected(lost("the statements could not be sent"));
  auto done = collect();
  if (!done) return std::unexpected(done.error());
  return {};
}

/// Reads what came while it waits.
sql_result<void> connection::wait_for_server(short events, deadline until) {
  switch (wait_for(PQsocket(conn_.get()), events, until, *cut_)) {
  case waited::late:
    return std::unexpected(sql_error{failure::lost, {}, "no answer in time"});
  case waited::stopped:
    return std::unexpected(sql_error{failure::lost, {}, "cut off while waiting for an answer"});
  case waited::ready:
    break;
  }
  if (PQconsumeInput(conn_.get()) == 0) return std::unexpected(lost("the connection broke"));
  return {};
}

/// The last result, or the first error.
sql_result<rows> connection::collect() {
  auto* c = conn_.get();
  const auto until = steady_clock::now() + statement_at_most_;
  for (int unsent = PQflush(c); unsent != 0; unsent = PQflush(c)) {
    if (unsent < 0) return std::unexpected(lost("the statement could not be sent"));
    if (auto ready = wait_for_server(POLLIN | POLLOUT, until); !ready) return std::unexpected(ready.error());
  }
  sql_result<rows> out = std::unexpected(sql_error{failure::lost, {}, "no answer"});
  bool first = true;
  for (;;) {
    while (PQisBusy(c) != 0)
      if (auto ready = wait_for_server(POLLIN, until); !ready) return std::unexpected(ready.error());
    auto* r = PQgetResult(c);
    if (r == nullptr) break;
    rows one(r);
    const auto status = PQresultStatus(r);
    const bool good = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!good && (first || out)) out = std::unexpected(error_of(r));
    if (good && (first || out)) out = std::move(one);
    first = false;
  }
  notified_ = take_notifications() || notified_;
  if (PQstatus(c) == CONNECTION_BAD && !out) out.error().what = failure::lost;
  return out;
}

bool connection::take_notifications() {
  bool any = false;
  while (auto* note = PQnotifies(conn_.get())) {
    PQfreemem(note);
    any = true;
  }
  return any;
}

sql_result<bool> connection::wait(milliseconds at_most, const stop_signal& stop) {
  const auto until = steady_clock::now() + at_most;
  while (!notified_) {
    if (wait_for(PQsocket(conn_.get()), POLLIN, until, stop) != waited::ready) return false;
    if (PQconsumeInput(conn_.get()) == 0) return std::unexpected(lost("the connection broke"));
    notified_ = take_notifications();
  }
  notified_ = false;
  return true;
}

sql_result<transaction> transaction::begin(connection& on) {
  if (auto begun = on.run("BEGIN"); !begun) return std::unexpected(begun.error());
  return transaction(on);
}

sql_result<void> transaction::commit() {
  auto done = std::exchange(on_, nullptr)->run("COMMIT");
  if (!done) return std::unexpected(done.error());
  return {};
}

transaction::~transaction() {
  // When that fails the connection is gone, and the server rolls back by itself.
  if (on_) (void)on_->run("ROLLBACK");
}

} // namespace matricula::connectors::postgres
