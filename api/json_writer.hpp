/// Writes JSON text, member after member, straight into one string.
#pragma once
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace matricula::api::json {

/// Whether `text` is UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Appends `text` as a quoted JSON string. A byte that is not UTF-8 becomes U+FFFD, so that the output always is.
void append_quoted(std::string& out, std::string_view text);

/// The caller keeps the order right (a key before each member, as many ends as beginnings); commas come by themselves.
///
///   json::writer w;
///   w.begin_object().member("type", type).key("ids").begin_array();
///   for (auto& id : ids) w.value(id);
///   w.end_array().end_object();
class writer {
public:
  explicit writer(std::size_t reserve = 256) { out_.reserve(reserve); }

  writer& begin_object() { return open('{'); }
  writer& end_object() { return close('}'); }
  writer& begin_array() { return open('['); }
  writer& end_array() { return close(']'); }

  writer& key(std::string_view name) {
    separate();
    append_quoted(out_, name);
    out_.push_back(':');
    comma_ = false;
    return *this;
  }
  writer& value(std::string_view text) {
    separate();
    append_quoted(out_, text);
    return *this;
  }
  writer& value(const char* text) { return value(std::string_view(text)); }
  writer& value(const std::string& text) { return value(std::string_view(text)); }
  writer& value(bool yes) { return raw(yes ? "true" : "false"); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  writer& value(T number) {
    return raw(std::to_string(number));
  }
  /// Shortest text that reads back as the same number; null for what JSON cannot say (infinite, not a number).
  writer& value(double number);
  writer& null() { return raw("null"); }
  /// JSON text made elsewhere, as it is. @pre it is one valid JSON value
  writer& raw(std::string_view text) {
    separate();
    out_.append(text);
    return *this;
  }

  template <class T>
  writer& member(std::string_view name, const T& v) {
    return key(name).value(v);
  }
  /// No member at all when there is no value.
  template <class T>
  writer& member_if(std::string_view name, const std::optional<T>& v) {
    return v ? member(name, *v) : *this;
  }

  [[nodiscard]] const std::string& str() const& noexcept { return out_; }
  [[nodiscard]] std::string str() && noexcept { return std::move(out_); }

private:
  void separate() {
    if (comma_) out_.push_back(',');
    comma_ = true;
  }
  writer& open(char bracket) {
    separate();
    out_.push_back(bracket);
    comma_ = false;
    return *this;
  }
  writer& close(char bracket) {
    out_.push_back(bracket);
    comma_ = true;
    return *this;
  }
  std::string out_;
  bool comma_ = false;
};

} // namespace matricula::api::json
