#include "connectors/smtp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <curl/curl.h>
#include <memory>
#include <mutex>
#include <string_view>

namespace matricula::connectors {

namespace {

struct upload {
  std::string_view rest;
  bool all_read = false; ///< the server has seen the whole mail
};

std::size_t read_some(char* to, std::size_t size, std::size_t count, void* from) {
  auto& u = *static_cast<upload*>(from);
  const auto n = std::min(size * count, u.rest.size());
  std::memcpy(to, u.rest.data(), n);
  u.rest.remove_prefix(n);
  u.all_read = u.rest.empty();
  return n;
}

int is_stopped(void* flag, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(flag)->load() ? 1 : 0;
}

std::size_t drop(char*, std::size_t size, std::size_t count, void*) { return size * count; }

struct free_list {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct free_handle {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using list_ptr = std::unique_ptr<curl_slist, free_list>;

list_ptr recipients(const std::vector<std::string>& to) {
  list_ptr all;
  for (const auto& one : to) {
    auto* longer = curl_slist_append(all.get(), one.c_str());
    if (longer == nullptr) return nullptr;
    (void)all.release();
    all.reset(longer);
  }
  return all;
}

std::string url_of(const smtp_options& o) {
  const bool v6 = o.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", o.security == smtp_security::tls ? "smtps" : "smtp", v6 ? "[" : "", o.host,
                     v6 ? "]" : "", o.port);
}

} // namespace

void smtp::prepare() {
  static std::once_flag once;
  std::call_once(once, [] { require(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl can be started"); });
}

smtp::smtp(smtp_options options) : options_(std::move(options)) { prepare(); }

result<void> smtp::send(const std::string& message) const {
  const auto& o = options_;
  const auto where = fmt::format("The mail server {}:{}", o.host, o.port);
  if (stopped_) return fail(errc::unavailable, "The node is stopping.");
  const std::unique_ptr<CURL, free_handle> handle(curl_easy_init());
  const auto to = recipients(o.to);
  if (!handle || !to) return fail(errc::unavailable, "There is no memory for a mail.");
  upload body{message};
  bool set = true;
  const auto option = [&](CURLoption what, auto value) {
    set = set && curl_easy_setopt(handle.get(), what, value) == CURLE_OK;
  };
  const auto url = url_of(o);
  option(CURLOPT_URL, url.c_str());
  option(CURLOPT_PROTOCOLS_STR, "smtp,smtps");
  option(CURLOPT_PROXY, "");    // what the environment says of proxies is for others
  option(CURLOPT_NOSIGNAL, 1L); // threads
  option(CURLOPT_TIMEOUT_MS, static_cast<long>(o.timeout.count()));
  option(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(o.timeout.count()));
  option(CURLOPT_USE_SSL, static_cast<long>(o.security == smtp_security::none ? CURLUSESSL_NONE : CURLUSESSL_ALL));
  option(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  option(CURLOPT_SSL_VERIFYPEER, 1L);
  option(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!o.ca_file.empty()) option(CURLOPT_CAINFO, o.ca_file.c_str());
  if (!o.user.empty()) {
    option(CURLOPT_USERNAME, o.user.c_str());
    option(CURLOPT_PASSWORD, o.password.c_str());
  }
  option(CURLOPT_MAIL_FROM, o.from.c_str());
  option(CURLOPT_MAIL_RCPT, to.get());
  option(CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
  option(CURLOPT_UPLOAD, 1L);
  option(CURLOPT_READFUNCTION, read_some);
  option(CURLOPT_READDATA, static_cast<void*>(&body));
  option(CURLOPT_WRITEFUNCTION, drop);
  option(CURLOPT_NOPROGRESS, 0L);
  option(CURLOPT_XFERINFOFUNCTION, is_stopped);
  option(CURLOPT_XFERINFODATA, const_cast<void*>(static_cast<const void*>(&stopped_)));
  if (!set) return fail(errc::unavailable, "libcurl does not take the settings of the mail server.");

  const auto how = curl_easy_perform(handle.get());
  if (how == CURLE_OK) return {};
  if (stopped_) return fail(errc::unavailable, "The node is stopping.");
  long status = 0;
  (void)curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (body.all_read && status >= 500 && status < 600)
    return fail(errc::conflict, fmt::format("{} refuses the mail with {}.", where, status));
  if (how == CURLE_LOGIN_DENIED)
    return fail(errc::unavailable, fmt::format("{} does not accept user and password ({}).", where, status));
  if (status >= 400)
    return fail(errc::unavailable, fmt::format("{} answered {}: {}.", where, status, curl_easy_strerror(how)));
  return fail(errc::unavailable, fmt::format("{} cannot be used: {}.", where, curl_easy_strerror(how)));
}

} // namespace matricula::connectors
