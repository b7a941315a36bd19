/// Reads the JSON of request bodies: strictly, with every refusal naming the field.
#pragma once
#include "api/route.hpp"
#include "foundation/clock.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace matricula::api::json {

/// Containers in containers; a body that needs more is an attack or a mistake.
inline constexpr std::size_t depth_max = 32;

struct member;
struct null {
  bool operator==(const null&) const = default;
};

/// A parsed value. Whole numbers are std::int64_t when they fit, else std::uint64_t.
struct value {
  using array = std::vector<value>;
  using object = std::vector<member>; ///< in the order of the text
  std::variant<null, bool, std::int64_t, std::uint64_t, double, std::string, array, object> data;

  template <class T>
  [[nodiscard]] const T* as() const noexcept {
    return std::get_if<T>(&data);
  }
};
struct member {
  std::string name;
  value held;
};

/// RFC 8259, and more: UTF-8 only, names unique in their object, at most `depth_max` deep, numbers within 64 bits or
/// a finite double. Everything else is refused with 400.
[[nodiscard]] outcome<value> parse(std::string_view text);

/// The value as JSON text again, without white space: members in their order, numbers as they were read.
[[nodiscard]] std::string text_of(const value& v);

/// Takes the members of one object by name and type. The first thing that is wrong is kept and later reads give their
/// fallback, so that a handler reads all and asks once:
///
///   json::fields body(request.body);
///   const auto count = body.whole("count", {.least = 1, .most = 10'000, .fallback = 1});
///   const auto holder = body.optional_text("holder", {.bytes_max = 128});
///   if (auto bad = body.wrong()) return std::unexpected(*bad);
///
/// `wrong()` also refuses every member that was not asked for and lists those that were. A null is as good as absent.
class fields {
public:
  /// Parses `body`, which must be an object (400 otherwise). An empty body is an empty object where that is allowed.
  enum class empty_body : std::uint8_t { refused, allowed };
  explicit fields(std::string_view body, empty_body when_empty = empty_body::refused);
  /// The members of a value that was parsed before; `path` ("details.") is put before names in messages.
  explicit fields(const value& object, std::string path = "");

  struct whole_range {
    std::int64_t least = std::numeric_limits<std::int64_t>::min();
    std::int64_t most = std::numeric_limits<std::int64_t>::max();
    std::optional<std::int64_t> fallback = std::nullopt; ///< none: the field is required
  };
  struct text_range {
    std::size_t bytes_min = 1;
    std::size_t bytes_max = 256;
  };

  [[nodiscard]] std::int64_t whole(std::string_view name, whole_range range);
  [[nodiscard]] std::optional<std::int64_t> optional_whole(std::string_view name, whole_range range);
  [[nodiscard]] std::string text(std::string_view name, text_range range);
  /// Text has no control characters: names, reasons and identifiers have no use for them.
  [[nodiscard]] std::optional<std::string> optional_text(std::string_view name, text_range range);
  [[nodiscard]] bool yes_or_no(std::string_view name, bool fallback);
  /// RFC 3339.
  [[nodiscard]] std::optional<timestamp> optional_time(std::string_view name);
  /// Any value (arrays, objects), valid as long as this.
  [[nodiscard]] const value* any(std::string_view name);

  /// Says that `name` is wrong for a reason that only the caller can know (422). `why` continues "The field 'x' ...".
  void refuse_field(std::string_view name, std::string_view why);
  [[nodiscard]] std::optional<refusal> wrong();

private:
  const value* take(std::string_view name);
  std::optional<refusal> wrong_;
  std::optional<value> owned_;
  const value::object* members_ = nullptr;
  std::string path_;
  std::vector<std::string_view> asked_; ///< literals of the callers
};

} // namespace matricula::api::json
