#include "test/support/certificate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <stdexcept>

namespace matricula::test {

namespace {
constexpr int first_day_s = -3600;

void check(bool ok, const char* what) {
  if (!ok) throw std::runtime_error(std::string("certificate for a test: ") + what);
}

struct closing {
  void operator()(std::FILE* f) const { std::fclose(f); }
};
std::unique_ptr<std::FILE, closing> open(const std::filesystem::path& path, const char* how) {
  std::unique_ptr<std::FILE, closing> file(std::fopen(path.c_str(), how));
  check(file != nullptr, "file");
  return file;
}
} // namespace

certificate_files make_certificate(const std::filesystem::path& folder, const std::string& name,
                                   std::chrono::hours valid_for) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  check(key != nullptr, "key");
  const std::unique_ptr<X509, decltype(&X509_free)> made(X509_new(), X509_free);
  check(X509_set_version(made.get(), 2) == 1, "version");
  check(ASN1_INTEGER_set(X509_get_serialNumber(made.get()), 1) == 1, "serial");
  X509_gmtime_adj(X509_getm_notBefore(made.get()),
                  std::min<long>(first_day_s, std::chrono::seconds(valid_for).count() - 1));
  X509_gmtime_adj(X509_getm_notAfter(made.get()), std::chrono::seconds(valid_for).count());
  check(X509_set_pubkey(made.get(), key.get()) == 1, "public key");
  auto* subject = X509_get_subject_name(made.get());
  check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.c_str()),
                                   -1, -1, 0) == 1,
        "name");
  check(X509_set_issuer_name(made.get(), subject) == 1, "issuer");
  X509V3_CTX context;
  X509V3_set_ctx(&context, made.get(), made.get(), nullptr, nullptr, 0);
  for (const auto& [what, value] : {std::pair{NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost"},
                                    std::pair{NID_basic_constraints, "critical,CA:TRUE"}}) {
    const std::unique_ptr<X509_EXTENSION, decltype(&X509_EXTENSION_free)> more(
        X509V3_EXT_conf_nid(nullptr, &context, what, value), X509_EXTENSION_free);
    check(more && X509_add_ext(made.get(), more.get(), -1) == 1, "extension");
  }
  check(X509_sign(made.get(), key.get(), EVP_sha256()) > 0, "signature");
  certificate_files files{folder / (name + ".crt"), folder / (name + ".key")};
  check(PEM_write_X509(open(files.certificate, "w").get(), made.get()) == 1, "certificate");
  check(PEM_write_PrivateKey(open(files.key, "w").get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1, "key");
  return files;
}

std::filesystem::path with_password(const std::filesystem::path& key) {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> read(
      PEM_read_PrivateKey(open(key, "r").get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  check(read != nullptr, "key");
  auto locked = key;
  locked += ".locked";
  unsigned char word[] = "secret";
  check(PEM_write_PrivateKey(open(locked, "w").get(), read.get(), EVP_aes_256_cbc(), word, 6, nullptr, nullptr) == 1,
        "locked key");
  return locked;
}

} // namespace matricula::test
