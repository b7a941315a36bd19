#include "api/tls.hpp"

#include <climits>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>

namespace matricula::api {

namespace {
std::unexpected<error> refuse_files(std::string what) {
  ERR_clear_error();
  return fail(errc::invalid_argument, std::move(what));
}

/// A key with a password would ask for it on the terminal.
int no_password(char*, int, int, void*) { return -1; }
} // namespace

result<std::shared_ptr<const tls_identity>> tls_identity::load(const tls_files& from) {
  ERR_clear_error();
  if (from.certificate.empty() || from.key.empty())
    return refuse_files("TLS needs both server.tls.certificate and server.tls.key; set the other one too.");
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return refuse_files("OpenSSL cannot serve TLS on this machine.");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Tickets make returning clients cheap without a session kept here; idle connections give their buffers back.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Of TLS 1.2 only what keeps old traffic secret when the key is lost, with authenticated encryption.
  SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);

  if (SSL_CTX_use_certificate_chain_file(context.get(), from.certificate.c_str()) != 1)
    return refuse_files("server.tls.certificate: " + from.certificate +
                        " cannot be read as a PEM certificate. Name a file that begins with the node's certificate "
                        "and that the node's user may read.");
  if (SSL_CTX_use_PrivateKey_file(context.get(), from.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    const auto why = ERR_GET_REASON(ERR_peek_last_error());
    if (why == X509_R_KEY_VALUES_MISMATCH)
      return refuse_files("server.tls.key: " + from.key + " is not the key of the certificate in " + from.certificate +
                          ". Name the key that the certificate was made with.");
    return refuse_files("server.tls.key: " + from.key +
                        " cannot be read as a PEM private key without a password. Name the certificate's key, readable "
                        "by the node's user; `openssl pkey -in KEY -out NEW` takes a password off.");
  }
  if (SSL_CTX_check_private_key(context.get()) != 1)
    return refuse_files("server.tls.key: " + from.key + " is not the key of the certificate in " + from.certificate +
                        ". Name the key that the certificate was made with.");
  const X509* certificate = SSL_CTX_get0_certificate(context.get());
  if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0)
    return refuse_files("server.tls.certificate: the time of " + from.certificate +
                        " is over. Renew it, then start the node or reload its settings.");
  return std::shared_ptr<const tls_identity>(new tls_identity(context));
}

tls_session::tls_session(std::shared_ptr<const tls_identity> identity, int socket)
    : identity_(std::move(identity)), session_(SSL_new(identity_->context()), SSL_free) {
  if (!session_) return;
  SSL_set_fd(session_.get(), socket);
  SSL_set_accept_state(session_.get());
}

tls_session::progress tls_session::progress_of(int returned) {
  switch (SSL_get_error(session_.get(), returned)) {
  case SSL_ERROR_WANT_READ:
  case SSL_ERROR_WANT_WRITE:
    return progress::blocked;
  default:
    ERR_clear_error(); // the queue is the thread's, which serves others too
    return progress::failed;
  }
}

tls_session::progress tls_session::handshake() {
  if (!session_) return progress::failed;
  ERR_clear_error();
  const int n = SSL_do_handshake(session_.get());
  return n == 1 ? progress::done : progress_of(n);
}

tls_session::progress tls_session::receive(char* into, std::size_t at_most, std::size_t& bytes) {
  bytes = 0;
  const int n = SSL_read(session_.get(), into, static_cast<int>(std::min<std::size_t>(at_most, INT_MAX)));
  if (n > 0) {
    bytes = static_cast<std::size_t>(n);
    return progress::done;
  }
  if (SSL_get_error(session_.get(), n) == SSL_ERROR_ZERO_RETURN) return progress::done;
  return progress_of(n);
}

tls_session::progress tls_session::send(std::string_view what, std::size_t& bytes) {
  bytes = 0;
  const int n = SSL_write(session_.get(), what.data(), static_cast<int>(std::min<std::size_t>(what.size(), INT_MAX)));
  if (n <= 0) return progress_of(n);
  bytes = static_cast<std::size_t>(n);
  return progress::done;
}

void tls_session::end_sending() {
  if (SSL_is_init_finished(session_.get()) != 0) (void)SSL_shutdown(session_.get());
  ERR_clear_error();
}

} // namespace matricula::api
