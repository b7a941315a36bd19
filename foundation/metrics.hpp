/// The numbers that /metrics shows: one registry, families created on first use.
/// Names follow Prometheus: matricula_<room>_<what>_<unit>[_total]; labels never hold personal data.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
} // namespace prometheus

namespace matricula {

class metrics {
public:
  using labels = std::map<std::string, std::string>;
  metrics();
  ~metrics();
  metrics(const metrics&) = delete;
  metrics& operator=(const metrics&) = delete;

  /// The same name and labels give the same object; it lives as long as this registry. Thread safe; look up once and
  /// keep the reference, not per request.
  prometheus::Counter& counter(const std::string& name, const std::string& help, const labels& with = {});
  prometheus::Gauge& gauge(const std::string& name, const std::string& help, const labels& with = {});
  prometheus::Histogram& histogram(const std::string& name, const std::string& help, const std::vector<double>& bounds,
                                   const labels& with = {});
  /// Brings a counter up to the total that somebody else keeps; it never falls. Thread safe, which it is not to read a
  /// counter and add what is missing: two that do so at once add it twice.
  void set_total(const std::string& name, const std::string& help, double total, const labels& with = {});
  /// Prometheus text exposition format 0.0.4.
  [[nodiscard]] std::string render() const;

  /// Bounds for request and write times, in seconds: 0.1 ms to 10 s.
  static const std::vector<double>& seconds_bounds();

private:
  std::shared_ptr<prometheus::Registry> registry_;
  std::mutex totals_mutex_;
};

} // namespace matricula
