#include "api/resources/constant.hpp"

namespace matricula::api {

route constant_route() {
  route r{"POST", "/bench/constant", "ids:issue", [](const request&) -> outcome<response> {
            return response{
                .status = 201,
                .body =
                    R"({"type":"uin","ids":["5164721753"],"assignments":[1],"issued_at":"2026-01-01T00:00:00.000Z"})"};
          }};
  r.idempotency = idempotency::accepted;
  r.waits = false;
  return r;
}

} // namespace matricula::api
