#include "foundation/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace matricula {

metrics::metrics() : registry_(std::make_shared<prometheus::Registry>()) {}
metrics::~metrics() = default;

prometheus::Counter& metrics::counter(const std::string& name, const std::string& help, const labels& with) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add(with);
}
prometheus::Gauge& metrics::gauge(const std::string& name, const std::string& help, const labels& with) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add(with);
}
prometheus::Histogram& metrics::histogram(const std::string& name, const std::string& help,
                                          const std::vector<double>& bounds, const labels& with) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry_).Add(with, bounds);
}

void metrics::set_total(const std::string& name, const std::string& help, double total, const labels& with) {
  auto& up = counter(name, help, with);
  const std::lock_guard lock(totals_mutex_);
  up.Increment(std::max(0.0, total - up.Value()));
}

std::string metrics::render() const { return prometheus::TextSerializer{}.Serialize(registry_->Collect()); }

const std::vector<double>& metrics::seconds_bounds() {
  static const std::vector<double> bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                          0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};
  return bounds;
}

} // namespace matricula
