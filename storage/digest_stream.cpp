#include "storage/digest_stream.hpp"

#include "foundation/error.hpp"

#include <openssl/evp.h>

namespace matricula::storage {

struct digest_stream::context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  context() = default;
  context(const context&) = delete;
  context& operator=(const context&) = delete;
  ~context() { EVP_MD_CTX_free(md); }
};

digest_stream::digest_stream() : context_(std::make_unique<context>()) {
  require(context_->md && EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) == 1, "SHA-256 is available");
}

digest_stream::~digest_stream() = default;

void digest_stream::add(std::string_view piece) {
  require(EVP_DigestUpdate(context_->md, piece.data(), piece.size()) == 1, "SHA-256 goes on");
}

void digest_stream::restart() {
  require(EVP_DigestInit_ex(context_->md, nullptr, nullptr) == 1, "SHA-256 begins again");
}

std::string digest_stream::finish() {
  std::string out(bytes, '\0');
  unsigned length = 0;
  require(EVP_DigestFinal_ex(context_->md, reinterpret_cast<unsigned char*>(out.data()), &length) == 1 &&
              length == out.size(),
          "SHA-256 ends");
  return out;
}

} // namespace matricula::storage
