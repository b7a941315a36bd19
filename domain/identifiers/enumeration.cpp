#include "domain/identifiers/enumeration.hpp"

#include "domain/identifiers/checksum.hpp"

namespace matricula::identifiers {
namespace {

class search {
public:
  search(const id_format& format, const std::function<bool(std::string_view)>& visit, std::uint64_t parts_max)
      : format_(format), visit_(visit), parts_left_(parts_max),
        check_digit_(has_check_digit(format.rules, format.written_in)) {}

  enumeration_end run() {
    extend(first_symbols(format_.rules, format_.written_in));
    return end_;
  }

private:
  void extend(std::string_view choices) {
    for (const char symbol : choices) {
      if (parts_left_-- == 0) end_ = enumeration_end::over_budget;
      if (end_ != enumeration_end::complete) return;
      id_.push_back(symbol);
      descend();
      id_.pop_back();
    }
  }

  void descend() {
    if (id_.size() == format_.length - (check_digit_ ? 1 : 0)) {
      finish();
    } else if (accepts_part(format_.rules, id_)) {
      extend(symbols(format_.written_in));
    }
  }

  void finish() {
    const auto body = id_.size();
    if (check_digit_) id_.push_back(check_digit(id_));
    if (accepts(format_.rules, id_) && !visit_(id_)) end_ = enumeration_end::stopped;
    id_.resize(body);
  }

  const id_format& format_;
  const std::function<bool(std::string_view)>& visit_;
  std::uint64_t parts_left_;
  bool check_digit_;
  std::string id_;
  enumeration_end end_ = enumeration_end::complete;
};

} // namespace

enumeration_end enumerate(const id_format& format, const std::function<bool(std::string_view)>& visit,
                          std::uint64_t parts_max) {
  return search(format, visit, parts_max).run();
}

} // namespace matricula::identifiers
