/// Notices in words, for logs and mails, and as JSON, for programs. No personal data: they hold what findings say, and
/// findings hold none.
#pragma once
#include "domain/alerts/alert.hpp"

#include <string>
#include <string_view>

namespace matricula::alerts {

/// One line: "[critical] disk_full: ..." with what has become of it. @param node its name; empty: not said
[[nodiscard]] std::string headline(const notice& n, std::string_view node);
/// Some lines: what, since when, how often it was told, what to do. Ends with a line end.
[[nodiscard]] std::string in_words(const notice& n, std::string_view node);
/// One JSON object.
[[nodiscard]] std::string as_json(const notice& n, std::string_view node);
/// The same notice always has the same, so that one that comes twice can be told: "alert-7-repeat-3".
[[nodiscard]] std::string key_of(const notice& n);

} // namespace matricula::alerts
