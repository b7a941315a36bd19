/// A route as the application holds it: with its own numbers, looked up once. Private to application and middleware.
#pragma once
#include "api/application.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <array>

namespace matricula::api {

struct application::endpoint {
  endpoint(route r, metrics& numbers);

  route declared;
  bool open = false;                             ///< needs no credentials
  std::array<prometheus::Counter*, 6> answers{}; ///< by the hundreds of the status
  prometheus::Histogram* seconds = nullptr;
};

} // namespace matricula::api
