#include "bench/observation.hpp"

#include "test/support/http_client.hpp"
#include "test/support/node_process.hpp"

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace matricula::bench {

namespace {

/// The number after `name` at the start of a line of a file in /proc; 0 when it has no such line.
std::uint64_t proc_field(const std::filesystem::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name)) return std::strtoull(line.c_str() + name.size(), nullptr, 10);
  return 0;
}

std::filesystem::path proc(pid_t process) { return "/proc/" + std::to_string(process); }

} // namespace

process_cost& process_cost::operator+=(const process_cost& other) noexcept {
  cpu_seconds += other.cpu_seconds;
  context_switches += other.context_switches;
  return *this;
}

process_cost process_cost::operator-(const process_cost& other) const noexcept {
  return {cpu_seconds - other.cpu_seconds, context_switches - other.context_switches};
}

process_cost cost_of(pid_t process) {
  process_cost cost;
  // Exact, where /proc/PID/stat counts in hundredths of a second.
  clockid_t its_clock{};
  timespec used{};
  if (::clock_getcpuclockid(process, &its_clock) != 0 || ::clock_gettime(its_clock, &used) != 0)
    throw std::runtime_error("the node has ended");
  cost.cpu_seconds = static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
  for (const auto& thread : std::filesystem::directory_iterator(proc(process) / "task")) {
    const auto status = thread.path() / "status";
    cost.context_switches +=
        proc_field(status, "voluntary_ctxt_switches:") + proc_field(status, "nonvoluntary_ctxt_switches:");
  }
  return cost;
}

std::uint64_t resident_bytes(pid_t process) {
  const auto kib = proc_field(proc(process) / "status", "VmRSS:");
  if (kib == 0) throw std::runtime_error("the node has ended");
  return kib * 1024;
}

double metric(test::http_client& node, std::string_view name) {
  const auto answer = node.send({.target = "/metrics"});
  node.close(); // a connection holds a thread of the node, which the load needs
  if (!answer || answer->status != 200) throw std::runtime_error("the node does not give its metrics");
  const std::string line = "\n" + std::string(name) + " ";
  const auto at = answer->body.find(line);
  if (at == std::string::npos) throw std::runtime_error("the node has no metric " + std::string(name));
  return std::strtod(answer->body.c_str() + at + line.size(), nullptr);
}

void wait_until_counted(const test::node_process& node) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!node.logged("capacity.known")) {
    if (std::chrono::steady_clock::now() > until) throw std::runtime_error("the node goes on counting its capacities");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

std::vector<std::string> little_to_count(std::vector<std::string> settings) {
  for (const char* counted : {"uin", "household"})
    settings.push_back(std::string("identifiers.types.") + counted + ".length=6");
  return settings;
}

} // namespace matricula::bench
