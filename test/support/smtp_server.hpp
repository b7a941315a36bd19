/// A small mail server on loopback that takes one mail after the other and keeps them: greeting, EHLO, STARTTLS or TLS
/// from the first byte, AUTH PLAIN and LOGIN, MAIL, RCPT, DATA, QUIT. It can be told to misbehave.
#pragma once
#include "test/support/certificate.hpp"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace matricula::test {

struct received_mail {
  std::string from;
  std::vector<std::string> to;
  std::string data; ///< headers and body, without the dots that were stuffed and the final one
  bool tls = false;
  std::string user; ///< empty: nobody said who they are
};

/// The body of a mail that is base64, decoded.
[[nodiscard]] std::string text_of(const received_mail& m);

struct smtp_server_options {
  std::optional<certificate_files> certificate; ///< with one it offers STARTTLS
  bool tls_at_once = false;
  std::string user; ///< with one it asks for it
  std::string password;
};

class smtp_server {
public:
  enum class mood : std::uint8_t {
    good,
    later_at_greeting, ///< 421
    later_at_rcpt,     ///< 450
    never_after_data,  ///< 554
    hangs_up,          ///< after DATA
    silent             ///< says nothing at all
  };

  /// Listens on a free port.
  explicit smtp_server(smtp_server_options options = {});
  ~smtp_server();
  smtp_server(const smtp_server&) = delete;
  smtp_server& operator=(const smtp_server&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  void be(mood m) noexcept { mood_ = m; }
  [[nodiscard]] std::vector<received_mail> mails() const;
  [[nodiscard]] std::size_t connections() const noexcept { return connections_; }
  /// Commands in the order of coming, of all connections; of AUTH only the word.
  [[nodiscard]] std::vector<std::string> commands() const;

private:
  class session;
  void run();
  void keep(received_mail m);
  void note(std::string command);

  smtp_server_options options_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<mood> mood_{mood::good};
  std::atomic<bool> stop_{false};
  std::atomic<std::size_t> connections_{0};
  mutable std::mutex mutex_;
  std::vector<received_mail> mails_;
  std::vector<std::string> commands_;
  std::thread thread_;
};

} // namespace matricula::test
