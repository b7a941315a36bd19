/// A connection to PostgreSQL whose every call has an end: libpq without its blocking functions.
#pragma once
#include "connectors/stop_signal.hpp"
#include "foundation/clock.hpp"

#include <array>
#include <concepts>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

struct pg_conn;
struct pg_result;

namespace matricula::connectors::postgres {

struct connection_options {
  std::string connection; ///< as libpq reads it: "host=db dbname=openg2p user=matricula", or a postgresql:// URL
  std::string password;   ///< empty: none, or as `connection` and libpq's own files have it
  milliseconds connect_at_most{5'000};
  milliseconds statement_at_most{
      10'000};                      ///< the server ends a statement at half of it, the connection is given up after it
  milliseconds lock_at_most{2'000}; ///< a statement that waits longer for another's lock fails as `locked`
};

/// What a failed statement means for who sent it.
enum class failure : std::uint8_t {
  lost,       ///< the connection is gone; whether the statement had its effect is not known
  locked,     ///< another has what it needs, or both waited for each other: try again
  not_unique, ///< a unique constraint refused it
  refused,    ///< anything else; the message says what
};
struct sql_error {
  failure what = failure::refused;
  std::string state;   ///< SQLSTATE; empty when the server said nothing
  std::string message; ///< one line, for a person; no values of parameters
};
template <class T>
using sql_result = std::expected<T, sql_error>;

/// What a statement brought.
class rows {
public:
  explicit rows(pg_result* from) noexcept : from_(from) {}
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  [[nodiscard]] std::size_t columns() const noexcept;
  /// Nothing for NULL. @pre both are in range
  [[nodiscard]] std::optional<std::string_view> at(std::size_t row, std::size_t column) const;
  /// "" for NULL.
  [[nodiscard]] std::string text(std::size_t row, std::size_t column) const;
  /// 0 for NULL and for what is no integer.
  [[nodiscard]] std::int64_t number(std::size_t row, std::size_t column) const;
  [[nodiscard]] bool flag(std::size_t row, std::size_t column) const;
  /// Rows that an INSERT, UPDATE or DELETE changed.
  [[nodiscard]] std::uint64_t changed() const noexcept;

private:
  struct clear {
    void operator()(pg_result* r) const noexcept;
  };
  std::unique_ptr<pg_result, clear> from_;
};

/// A parameter of a statement, as text; NULL when made from nothing.
class parameter {
public:
  parameter(std::string text) : text_(std::move(text)) {} // NOLINT(google-explicit-constructor)
  parameter(std::string_view text) : text_(text) {}       // NOLINT(google-explicit-constructor)
  parameter(const char* text) : text_(text) {}            // NOLINT(google-explicit-constructor)
  parameter(std::nullopt_t) {}                            // NOLINT(google-explicit-constructor)
  parameter(bool b) : text_(b ? "true" : "false") {}      // NOLINT(google-explicit-constructor)
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  parameter(T number) : text_(std::to_string(number)) {}                // NOLINT(google-explicit-constructor)
  parameter(milliseconds time) : text_(std::to_string(time.count())) {} // NOLINT(google-explicit-constructor)

  [[nodiscard]] const char* data() const noexcept { return text_ ? text_->c_str() : nullptr; }

private:
  std::optional<std::string> text_;
};

/// Not thread safe. After `lost` only destruction makes sense.
class connection {
public:
  /// @param stop ends the wait for the connection
  /// @param cut ends every wait for the server, also that for the answer to a statement, which is `lost` then; must
  /// live longer
  [[nodiscard]] static sql_result<connection> open(const connection_options& options, const stop_signal& stop,
                                                   const stop_signal& cut);

  /// One statement with $1, $2, ...
  template <class... T>
  [[nodiscard]] sql_result<rows> run(const std::string& sql, T&&... values) {
    const std::array<parameter, sizeof...(T)> all{parameter(std::forward<T>(values))...};
    return run_with(sql, all);
  }
  /// Statements without parameters, one after the other, as one transaction unless they say otherwise.
  [[nodiscard]] sql_result<void> run_script(const std::string& sql);

  /// Waits for a notification of a channel that it listens to: true when there was one. Also ends when `stop` is
  /// raised.
  [[nodiscard]] sql_result<bool> wait(milliseconds at_most, const stop_signal& stop);

private:
  struct finish {
    void operator()(pg_conn* c) const noexcept;
  };
  connection(pg_conn* c, milliseconds statement_at_most, const stop_signal& cut)
      : conn_(c), statement_at_most_(statement_at_most), cut_(&cut) {}
  [[nodiscard]] sql_result<void> wait_for_server(short events, deadline until);
  [[nodiscard]] sql_result<rows> run_with(const std::string& sql, std::span<const parameter> values);
  [[nodiscard]] sql_result<rows> collect();
  [[nodiscard]] sql_error lost(std::string_view why) const;
  bool take_notifications();

  std::unique_ptr<pg_conn, finish> conn_;
  milliseconds statement_at_most_;
  const stop_signal* cut_;
  bool notified_ = false;
};

/// Everything between its making and `commit` happens as a whole or not at all.
class transaction {
public:
  [[nodiscard]] static sql_result<transaction> begin(connection& on);
  /// Rolls back what was not committed.
  ~transaction();
  transaction(transaction&& other) noexcept : on_(std::exchange(other.on_, nullptr)) {}
  transaction(const transaction&) = delete;
  transaction& operator=(const transaction&) = delete;
  transaction& operator=(transaction&&) = delete;

  /// After `lost` it is not known whether it happened.
  [[nodiscard]] sql_result<void> commit();

private:
  explicit transaction(connection& on) : on_(&on) {}
  connection* on_;
};

} // namespace matricula::connectors::postgres
