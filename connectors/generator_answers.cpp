#include "connectors/generator_answers.hpp"

#include "connectors/shown_text.hpp"
#include "domain/registrants/registrant.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

namespace matricula::connectors {

using registrants::call_outcome;
using registrants::generator_answer;

namespace {

constexpr std::size_t shown_bytes_max = 200;

constexpr std::string_view mosip_none_left = "KER-UIG-001"; // on PUT: not found
constexpr std::string_view mosip_bad_status = "KER-UIG-003";
constexpr std::string_view mosip_not_issued = "KER-UIG-004";
constexpr std::string_view openg2p_none_left = "IDG-001";
constexpr std::string_view openg2p_exhausted = "IDG-002";
constexpr std::string_view openg2p_unknown_type = "IDG-003";
constexpr std::string_view openg2p_not_started = "IDG-005";

/// The envelope of both systems: `response`, an object or null, and `errors`, a list or null.
struct envelope {
  bool has_response = false;
  std::string id;            ///< the member that was asked for, when it is a text
  std::string code, message; ///< of the first error; `code` is "(none)" where an error has none
};

/// Nothing when `body` is no such envelope. @param member of `response` that holds the identifier
std::optional<envelope> read_envelope(std::string_view body, std::string_view member) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text(body);
  simdjson::dom::object all;
  if (parser.parse(text).get(all)) return std::nullopt;
  envelope out;
  simdjson::dom::element part;
  if (!all["response"].get(part) && !part.is_null()) {
    simdjson::dom::object response;
    if (part.get(response)) return std::nullopt;
    out.has_response = true;
    std::string_view id;
    if (!response[member].get(id)) out.id = id;
  }
  if (!all["errors"].get(part) && !part.is_null()) {
    simdjson::dom::array errors;
    if (part.get(errors)) return std::nullopt;
    for (const auto one : errors) {
      std::string_view code, message;
      out.code = one["errorCode"].get(code) || code.empty() ? "(none)" : std::string(code);
      if (!one["message"].get(message)) out.message = message;
      break;
    }
  }
  return out;
}

generator_answer answer(call_outcome outcome, std::string error, const generator_reply& reply) {
  return {.outcome = outcome, .id = {}, .error = std::move(error), .try_again = reply.retry_after};
}

std::string told(const envelope& of) {
  if (of.message.empty()) return shown_text(of.code, shown_bytes_max);
  return fmt::format("{}: {}", shown_text(of.code, shown_bytes_max), shown_text(of.message, shown_bytes_max));
}

/// What a status says that is not of the generator itself but of HTTP, or of what stands before it.
/// 5xx is never sure: a proxy gives 502, 503 and 504 also when the generator was reached and its answer got lost.
generator_answer by_status(const generator_reply& reply) {
  constexpr std::array mended{401, 403, 404, 408, 409, 423, 425, 429};
  const auto said = fmt::format("The generator answered {}", reply.status);
  if (reply.status == 401 || reply.status == 403)
    return answer(call_outcome::failed, said + ": the credentials are not accepted, or lack the role for this.", reply);
  if (std::ranges::find(mended, reply.status) != mended.end()) return answer(call_outcome::failed, said + ".", reply);
  if (reply.status >= 400 && reply.status < 500) return answer(call_outcome::refused, said + ".", reply);
  // 303 is what is answered after the deed.
  if (reply.status >= 300 && reply.status < 400 && reply.status != 303)
    return answer(call_outcome::failed, said + "; redirects are not followed.", reply);
  return answer(call_outcome::unknown, said + ". Whether it did anything is not known.", reply);
}

generator_answer unreadable(std::string_view why, const generator_reply& reply) {
  return answer(
      call_outcome::unknown,
      fmt::format("The generator answered {}, but {}. Whether it did anything is not known.", reply.status, why),
      reply);
}

/// An identifier out of an envelope without errors.
generator_answer issued(const envelope& of, std::string_view member, const generator_reply& reply) {
  if (!of.has_response) return unreadable("the answer has neither a response nor errors", reply);
  if (of.id.empty()) return unreadable(fmt::format("the response has no text {}", member), reply);
  if (!is_identifier(of.id)) return unreadable(fmt::format("the text {} is no identifier", member), reply);
  return {.outcome = call_outcome::done, .id = of.id, .error = {}, .try_again = {}};
}

constexpr std::string_view no_envelope = "its body is not the JSON object that it should be";

bool is_of_authentication(std::string_view code) noexcept { return code.starts_with("KER-ATH-"); }

} // namespace

bool is_identifier(std::string_view id) noexcept { return registrants::is_unique_id(id); }

bool mosip_wants_new_token(const generator_reply& reply) {
  if (reply.status == 401) return true;
  if (reply.status != 200) return false;
  const auto of = read_envelope(reply.body, "uin");
  return of && !of->has_response && is_of_authentication(of->code);
}

generator_answer read_mosip_issue(const generator_reply& reply) {
  if (reply.status != 200) return by_status(reply);
  if (reply.body.empty()) return unreadable("its body is empty", reply);
  const auto of = read_envelope(reply.body, "uin");
  if (!of) return unreadable(no_envelope, reply);
  if (of->code.empty()) return issued(*of, "uin", reply);
  if (of->has_response) return unreadable("the answer has a response and errors: " + told(*of), reply);
  if (of->code == mosip_none_left)
    return answer(call_outcome::none_available, fmt::format("MOSIP has no UIN left ({}).", mosip_none_left), reply);
  if (is_of_authentication(of->code)) // its message may repeat the token
    return answer(call_outcome::failed, fmt::format("MOSIP does not accept the token ({}).", shown_text(of->code, 32)),
                  reply);
  return answer(call_outcome::unknown,
                fmt::format("MOSIP answered with {}. Whether it took a UIN out of its pool is not known.", told(*of)),
                reply);
}

generator_answer read_mosip_confirm(const generator_reply& reply, std::string_view id) {
  if (reply.status != 200) return by_status(reply);
  if (reply.body.empty()) return unreadable("its body is empty", reply);
  const auto of = read_envelope(reply.body, "uin");
  if (!of) return unreadable(no_envelope, reply);
  if (of->code.empty()) {
    if (!of->has_response) return unreadable("the answer has neither a response nor errors", reply);
    if (of->id != id) return unreadable("the answer is about another UIN", reply);
    return {.outcome = call_outcome::done, .id = {}, .error = {}, .try_again = {}};
  }
  if (of->has_response) return unreadable("the answer has a response and errors: " + told(*of), reply);
  if (of->code == mosip_not_issued) return {.outcome = call_outcome::done, .id = {}, .error = {}, .try_again = {}};
  if (of->code == mosip_none_left)
    return answer(
        call_outcome::refused,
        fmt::format("MOSIP does not know the UIN ({}). Either its transfer job has moved it to the table of "
                    "assigned ones after an earlier try, or this is not the MOSIP that issued it: look there.",
                    mosip_none_left),
        reply);
  if (of->code == mosip_bad_status)
    return answer(call_outcome::refused, fmt::format("MOSIP refused: {}.", told(*of)), reply);
  if (is_of_authentication(of->code))
    return answer(call_outcome::failed, fmt::format("MOSIP does not accept the token ({}).", shown_text(of->code, 32)),
                  reply);
  return answer(call_outcome::unknown,
                fmt::format("MOSIP answered with {}. Whether it marked the UIN is not known.", told(*of)), reply);
}

generator_answer read_openg2p_issue(const generator_reply& reply) {
  if (reply.status == 422) // of its framework, which checks before anything is done
    return answer(call_outcome::refused, "The generator answered 422: it does not accept this id_type.", reply);
  const auto of = read_envelope(reply.body, "id");
  if (reply.status == 200) {
    if (reply.body.empty()) return unreadable("its body is empty", reply);
    if (!of) return unreadable(no_envelope, reply);
    if (!of->code.empty()) return unreadable("the answer has errors: " + told(*of), reply);
    return issued(*of, "id", reply);
  }
  const auto code = of && !of->has_response ? std::string_view(of->code) : std::string_view{};
  if (reply.status == 503 && code == openg2p_none_left)
    return answer(call_outcome::none_available,
                  fmt::format("The generator has no identifier left for now ({}).", openg2p_none_left), reply);
  if (reply.status == 410 && code == openg2p_exhausted)
    return answer(call_outcome::refused,
                  fmt::format("The generator has no identifier left, for good ({}).", openg2p_exhausted), reply);
  if (reply.status == 404 && code == openg2p_unknown_type)
    return answer(call_outcome::refused,
                  fmt::format("The generator does not know this id_type ({}).", openg2p_unknown_type), reply);
  if (reply.status == 503 && code == openg2p_not_started) // it says so before it does anything
    return answer(call_outcome::failed, fmt::format("The generator is not ready ({}).", openg2p_not_started), reply);
  // IDG-006, its storage failed, among them: that may have been while it wrote.
  return by_status(reply);
}

} // namespace matricula::connectors
