#include "api/import_feed.hpp"
#include "api/json.hpp"
#include "commands/commands.hpp"
#include "commands/import_progress.hpp"
#include "foundation/thread.hpp"
#include "storage/durable_file.hpp"

#include <fmt/format.h>
#include <httplib.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace matricula::commands {

namespace {

using clock = std::chrono::steady_clock;

constexpr std::uint64_t lines_explained = 1'000; ///< of one request: what its answer has room for
constexpr std::chrono::milliseconds retry_first{100};
constexpr std::chrono::milliseconds retry_last{2'000};
constexpr std::chrono::seconds connect_timeout{10};
constexpr std::chrono::seconds answer_timeout{60};
constexpr std::chrono::seconds save_every{1};
constexpr std::chrono::seconds report_every{5};

struct line_problem {
  std::uint64_t line = 0; ///< of the file
  std::string code;
  std::string message;
};

/// What became of one post.
struct outcome_of_post {
  api::import_post post;
  std::uint64_t accepted = 0, duplicates = 0, changed = 0, conflicts = 0, refused = 0;
  std::vector<line_problem> problems; ///< by line
};

/// A file that lines are added to, cut back to what was durable when the import last ended.
class line_file {
public:
  line_file() = default;
  line_file(const line_file&) = delete;
  line_file& operator=(const line_file&) = delete;
  ~line_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  result<void> open(const std::filesystem::path& path, std::uint64_t bytes) {
    path_ = path;
    fd_ = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd_ < 0 || ::ftruncate(fd_, static_cast<off_t>(bytes)) != 0 ||
        ::lseek(fd_, static_cast<off_t>(bytes), SEEK_SET) < 0)
      return failed("opened");
    return {};
  }
  result<void> add(std::string_view text) {
    while (!text.empty()) {
      const auto n = ::write(fd_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("written");
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return {};
  }
  result<void> sync() { return ::fdatasync(fd_) == 0 ? result<void>{} : failed("written"); }

private:
  result<void> failed(const char* what) const {
    return fail(errc::io,
                fmt::format("{} cannot be {}: {}.", path_.string(), what, std::generic_category().message(errno)));
  }
  std::filesystem::path path_;
  int fd_ = -1;
};

/// Sends posts until each has its answer.
class poster {
public:
  /// @param timeline that everything goes into; for ask_timeline it may be anything
  poster(const import_options& options, const std::string& token, api::import_format format, std::string timeline)
      : client_(options.url), url_(options.url), path_(fmt::format("/v1/ids/{}/import", options.type)),
        target_(path_ + (options.accept_foreign ? "?accept_foreign=true" : "")),
        content_type_(api::media_type_of(format)), timeline_(std::move(timeline)),
        patience_(options.give_up_after_seconds) {
    client_.set_keep_alive(true);
    client_.set_connection_timeout(connect_timeout);
    client_.set_read_timeout(answer_timeout);
    client_.set_write_timeout(answer_timeout);
    if (!token.empty()) client_.set_bearer_token_auth(token);
    if (!options.ca_file.empty()) client_.set_ca_cert_path(options.ca_file.c_str());
  }

  /// The timeline of the store that it would go into. Errors: as of send.
  result<std::string> ask_timeline() {
    const auto answer = until_answered([this] { return client_.Get(path_); }, "the import", [] { return false; });
    if (!answer) return answer;
    api::json::fields fields(*answer);
    auto timeline = fields.text("timeline", {});
    (void)fields.text("type", {});
    if (fields.wrong()) return odd();
    return timeline;
  }

  /// @param stopped asked between attempts. Errors: unavailable (gave up), invalid_argument (it makes no sense to go
  /// on), conflict (it would go into another store than the lines before)
  result<outcome_of_post> send(api::import_post post, const std::function<bool()>& stopped) {
    outcome_of_post out;
    for (const auto line : post.long_lines)
      out.problems.push_back({line, "line_too_long", "It is longer than a line may be."});
    out.refused = out.problems.size();
    const auto left_out = ask(post, post.body, post.line_of(1), out, true, stopped);
    if (!left_out) return std::unexpected(left_out.error());
    if (*left_out > 0)
      if (auto all = explain(post, out, stopped); !all) return std::unexpected(all.error());
    std::ranges::sort(out.problems, {}, &line_problem::line);
    out.post = std::move(post);
    return out;
  }

private:
  /// Asks again in pieces that are small enough to be explained line by line. Asking twice is harmless.
  result<void> explain(const api::import_post& post, outcome_of_post& out, const std::function<bool()>& stopped) {
    std::erase_if(out.problems, [](const line_problem& p) { return p.code != "line_too_long"; });
    std::string_view rest = post.body;
    const auto head = post.headed ? rest.substr(0, rest.find('\n') + 1) : std::string_view{};
    rest.remove_prefix(head.size());
    for (auto first = post.first_line; !rest.empty(); first += lines_explained) {
      std::size_t end = 0;
      for (std::uint64_t n = 0; n < lines_explained && end < rest.size(); ++n) {
        const auto at = rest.find('\n', end);
        end = at == std::string_view::npos ? rest.size() : at + 1;
      }
      const auto piece = std::string(head) + std::string(rest.substr(0, end));
      rest.remove_prefix(end);
      if (const auto asked = ask(post, piece, first - (post.headed ? 1 : 0), out, false, stopped); !asked)
        return std::unexpected(asked.error());
    }
    return {};
  }

  /// @param body_line the line of the file that is the body's first one
  /// @return how many problems the answer left out
  result<std::uint64_t> ask(const api::import_post& post, const std::string& body, std::uint64_t body_line,
                            outcome_of_post& out, bool counts, const std::function<bool()>& stopped) {
    const auto which = fmt::format("the lines {} to {} altogether", post.first_line, post.first_line + post.lines - 1);
    const auto answer =
        until_answered([&] { return client_.Post(target_, body, content_type_.c_str()); }, which, stopped);
    if (!answer) return std::unexpected(answer.error());
    return take(*answer, body_line, out, counts);
  }

  /// Sends until there is an answer that is not "later".
  template <class Send>
  result<std::string> until_answered(const Send& send, std::string_view what, const std::function<bool()>& stopped) {
    const auto give_up_at = clock::now() + patience_;
    auto pause = retry_first;
    while (!stopped()) {
      const auto answer = send();
      if (answer && answer->status == 200) return answer->body;
      const auto why = answer ? told_by(answer->status, answer->body) : told_by(answer.error());
      const bool for_good = answer && answer->status < 500 && answer->status != 408 && answer->status != 429;
      if (for_good) return fail(errc::invalid_argument, fmt::format("The node refused {}: {}", what, why));
      if (clock::now() + pause > give_up_at)
        return fail(errc::unavailable,
                    fmt::format("The node at {} has not taken it for {} s: {}", url_, patience_.count(), why));
      if (pause == retry_last) tell_patience(why);
      std::this_thread::sleep_for(pause);
      pause = std::min(pause * 2, retry_last);
    }
    return fail(errc::unavailable, "The import was stopped.");
  }

  /// A problem in words: its status, code and detail.
  static std::string told_by(int status, const std::string& body) {
    constexpr std::size_t shown_max = 300;
    api::json::fields problem(body);
    const auto code = problem.optional_text("code", {});
    const auto detail = problem.optional_text("detail", {.bytes_max = 2'000});
    if (!code || !detail) return fmt::format("{} {}", status, body.substr(0, shown_max));
    return fmt::format("{} {}: {}{}", status, *code, *detail,
                       status == 401 ? " Name the file with the token: --token-file." : "");
  }
  static std::string told_by(httplib::Error why) {
    switch (why) {
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
      return "no connection";
    case httplib::Error::SSLConnection:
      return "no TLS connection";
    case httplib::Error::SSLServerVerification:
      return "its certificate is not trusted; name the file with its authority: --ca-file";
    case httplib::Error::Read:
    case httplib::Error::Write:
      return "the connection broke";
    default:
      return httplib::to_string(why);
    }
  }

  /// Now and then, so that nobody takes a command that waits for one that hangs.
  void tell_patience(const std::string& why) {
    static std::mutex guard;
    static std::optional<clock::time_point> last;
    const std::scoped_lock hold(guard);
    const auto now = clock::now();
    if (last && now - *last < report_every) return;
    last = now;
    fmt::print(stderr, "The node at {} does not take it yet ({}). Trying again, for {} s at most.\n", url_, why,
               patience_.count());
  }

  static std::unexpected<error> odd() {
    return fail(errc::invalid_argument, "The node's answer is not that of an import. Is it another program, or a node "
                                        "of another version?");
  }

  result<std::uint64_t> take(std::string_view answer, std::uint64_t body_line, outcome_of_post& out,
                             bool counts) const {
    const auto parsed = api::json::parse(answer);
    if (!parsed) return odd();
    api::json::fields fields(*parsed);
    const auto number = [](api::json::fields& from, const char* name) {
      return static_cast<std::uint64_t>(from.whole(name, {.least = 0}));
    };
    const auto accepted = number(fields, "accepted"), duplicates = number(fields, "duplicates"),
               changed = number(fields, "changed"), conflicts = number(fields, "conflicts"),
               refused = number(fields, "refused"), left_out = number(fields, "errors_omitted");
    const auto* errors = fields.any("errors");
    const auto timeline = fields.text("timeline", {});
    (void)fields.text("type", {});
    if (fields.wrong() || !errors || !errors->as<api::json::value::array>()) return odd();
    if (timeline != timeline_)
      return fail(errc::conflict,
                  "While the import ran the node was restored from a backup or replaced by another one: "
                  "what was loaded before is not there, or not all of it.");
    for (const auto& one : *errors->as<api::json::value::array>()) {
      api::json::fields problem(one);
      line_problem p;
      p.line = body_line + number(problem, "line") - 1;
      p.code = problem.text("code", {});
      p.message = problem.text("message", {.bytes_max = 1'000});
      if (problem.wrong()) return odd();
      out.problems.push_back(std::move(p));
    }
    if (!counts) return std::uint64_t{0};
    out.accepted += accepted;
    out.duplicates += duplicates;
    out.changed += changed;
    out.conflicts += conflicts;
    out.refused += refused;
    return left_out;
  }

  httplib::Client client_;
  std::string url_;
  std::string path_;
  std::string target_;
  std::string content_type_;
  std::string timeline_;
  std::chrono::seconds patience_;
};

/// Everything that the sending threads share.
class importer {
public:
  importer(const import_options& options, std::string token, std::istream& in)
      : options_(options), token_(std::move(token)), in_(in) {}

  /// Finds out what is left to do. Nothing is sent and nothing is written.
  result<void> begin() {
    auto job = look_at_file(options_.file);
    if (!job) return std::unexpected(job.error());
    auto feed = api::import_feed::open(in_, named_format());
    if (!feed) return std::unexpected(feed.error());
    feed_.emplace(std::move(*feed));
    auto timeline = poster(options_, token_, feed_->format(), "").ask_timeline();
    if (!timeline) return std::unexpected(timeline.error());
    job->type = options_.type;
    job->timeline = std::move(*timeline);
    job->format = name_of(feed_->format());
    job->accept_foreign = options_.accept_foreign;
    progress_.of = std::move(*job);
    auto before = load_progress(progress_path());
    if (!before) return std::unexpected(before.error());
    if (!*before) return {};
    if (const auto other = difference((*before)->of, progress_.of); !other.empty())
      return fail(errc::conflict,
                  fmt::format("{0} tells of an import {1}. To import this file from the beginning, delete {0}: lines "
                              "that were loaded before count as duplicates.",
                              progress_path(), other));
    progress_ = std::move(**before);
    return {};
  }

  /// @pre begin
  result<void> run() {
    if (auto ready = open_files(); !ready) return ready;
    started_at_ = saved_at_ = reported_at_ = clock::now();
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < options_.in_flight; ++i) threads.emplace_back([this] { work(); });
    for (auto& t : threads) t.join();
    if (!failure_)
      if (auto saved = save(); !saved) failure_ = saved.error();
    if (failure_) return std::unexpected(*failure_);
    return {};
  }

  [[nodiscard]] const import_progress& progress() const noexcept { return progress_; }
  [[nodiscard]] std::string refused_path() const { return options_.file + ".refused"; }
  [[nodiscard]] std::string reasons_path() const { return options_.file + ".refused.reasons"; }
  [[nodiscard]] std::string progress_path() const { return options_.file + ".matricula-import"; }
  [[nodiscard]] double per_second() const {
    const auto seconds = std::chrono::duration<double>(clock::now() - started_at_).count();
    return seconds > 0 ? static_cast<double>(progress_.line - started_line_) / seconds : 0;
  }

  /// Nothing is in them: nobody should have to look.
  void remove_refused() const {
    std::error_code gone;
    std::filesystem::remove(refused_path(), gone);
    std::filesystem::remove(reasons_path(), gone);
  }

private:
  static constexpr std::pair<const char*, api::import_format> formats[] = {
      {"ndjson", api::import_format::ndjson}, {"csv", api::import_format::csv}, {"plain", api::import_format::plain}};
  [[nodiscard]] std::optional<api::import_format> named_format() const {
    const auto named = std::ranges::find_if(formats, [this](const auto& f) { return options_.format == f.first; });
    return named == std::end(formats) ? std::nullopt : std::optional(named->second);
  }
  static std::string name_of(api::import_format format) {
    return std::ranges::find(formats, format, [](const auto& f) { return f.second; })->first;
  }

  result<void> open_files() {
    if (progress_.offset > 0) {
      fmt::print(stderr, "Going on at line {}.\n", progress_.line);
      if (auto there = feed_->resume(progress_.offset, progress_.line); !there) return there;
    }
    started_line_ = progress_.line;
    if (auto ok = refused_.open(refused_path(), progress_.refused_bytes); !ok) return ok;
    if (auto ok = reasons_.open(reasons_path(), progress_.reasons_bytes); !ok) return ok;
    if (progress_.refused_bytes == 0 && !feed_->header().empty()) {
      if (auto ok = refused_.add(feed_->header()); !ok) return ok;
      progress_.refused_bytes = feed_->header().size();
    }
    return {};
  }

  void work() {
    name_this_thread("import");
    poster to(options_, token_, feed_->format(), progress_.of.timeline);
    const auto stopped = [this] {
      const std::scoped_lock hold(guard_);
      return failure_.has_value();
    };
    for (;;) {
      std::unique_lock hold(guard_);
      // Answers that came early wait for those before them: no more of them than this.
      changed_.wait(hold, [this] { return failure_ || ended_ || sent_ - committed_ < 2 * options_.in_flight; });
      if (failure_ || ended_) return;
      auto post = feed_->next();
      if (!post) return give_up(post.error());
      if (!*post) {
        ended_ = true;
        changed_.notify_all();
        return;
      }
      const auto number = sent_++;
      hold.unlock();
      auto answered = to.send(std::move(**post), stopped);
      hold.lock();
      if (!answered) return give_up(answered.error());
      early_.emplace(number, std::move(*answered));
      if (auto ok = commit(); !ok) return give_up(ok.error());
    }
  }

  /// @pre the lock is held
  void give_up(const error& why) {
    if (!failure_) failure_ = why;
    changed_.notify_all();
  }

  /// Takes over the answers in the order of the file. @pre the lock is held
  result<void> commit() {
    for (auto i = early_.begin(); i != early_.end() && i->first == committed_; i = early_.erase(i)) {
      const auto& done = i->second;
      std::string lines, reasons;
      for (const auto& p : done.problems) {
        if (p.code != "line_too_long") lines += fmt::format("{}\n", done.post.text_of(p.line));
        reasons += fmt::format("{}\t{}\t{}\n", p.line, p.code, p.message);
      }
      if (auto ok = refused_.add(lines); !ok) return ok;
      if (auto ok = reasons_.add(reasons); !ok) return ok;
      progress_.refused_bytes += lines.size();
      progress_.reasons_bytes += reasons.size();
      progress_.accepted += done.accepted;
      progress_.duplicates += done.duplicates;
      progress_.changed += done.changed;
      progress_.conflicts += done.conflicts;
      progress_.refused += done.refused;
      progress_.offset = done.post.end;
      progress_.line = done.post.first_line + done.post.lines;
      ++committed_;
    }
    changed_.notify_all();
    const auto now = clock::now();
    if (now - reported_at_ >= report_every) {
      reported_at_ = now;
      fmt::print(stderr, "line {}: {} accepted, {} duplicates, {} conflicts, {} refused; {:.0f} lines/s\n",
                 progress_.line - 1, progress_.accepted, progress_.duplicates, progress_.conflicts, progress_.refused,
                 per_second());
    }
    if (now - saved_at_ < save_every) return {};
    saved_at_ = now;
    return save();
  }

  result<void> save() {
    if (auto ok = refused_.sync(); !ok) return ok;
    if (auto ok = reasons_.sync(); !ok) return ok;
    return save_progress(progress_path(), progress_);
  }

  const import_options& options_;
  std::string token_;
  std::istream& in_;
  std::optional<api::import_feed> feed_;
  line_file refused_, reasons_;
  import_progress progress_;
  std::uint64_t started_line_ = 1;
  clock::time_point started_at_{}, saved_at_{}, reported_at_{};

  std::mutex guard_;
  std::condition_variable changed_;
  std::uint64_t sent_ = 0, committed_ = 0;
  std::map<std::uint64_t, outcome_of_post> early_;
  bool ended_ = false;
  std::optional<error> failure_;
};

/// Whether it is http://HOST[:PORT], or https.
bool is_base_url(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (url.starts_with(scheme) && url.size() > scheme.size())
      return url.find_first_of("/?#@ ", scheme.size()) == std::string_view::npos;
  return false;
}

result<std::string> token_of(const import_options& options) {
  if (options.token_file.empty()) return options.token;
  constexpr std::size_t bytes_max = 16'384;
  auto text = storage::read_small_file(options.token_file, bytes_max);
  if (!text) return text;
  auto token = text->substr(0, text->find_first_of("\r\n"));
  if (token.empty())
    return fail(errc::invalid_argument,
                fmt::format("The first line of {} is empty: no token is in it.", options.token_file));
  return token;
}

std::string_view what_to_do_about(const error& why) {
  if (why.code == errc::conflict) return "Start the same command again.";
  if (why.code == errc::unavailable) return "Start the same command again: it goes on from here.";
  return "When that is mended, start the same command again: it goes on from here.";
}

} // namespace

int import_file(const import_options& asked) {
  auto options = asked;
  while (options.url.ends_with('/')) options.url.pop_back();
  const auto refuse = [](const error& why) {
    fmt::print(stderr, "{}\n", why.message);
    return 1;
  };
  if (!identifiers::is_type_name(options.type))
    return refuse({errc::invalid_argument, fmt::format("'{}' is no name of a type.", options.type), {}});
  if (!is_base_url(options.url))
    return refuse(
        {errc::invalid_argument, fmt::format("--url {}: write http://HOST:PORT or https://HOST:PORT.", asked.url), {}});
  const auto token = token_of(options);
  if (!token) return refuse(token.error());
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(options.file, unknown))
    return refuse({errc::not_found, fmt::format("There is no file {}.", options.file), {}});
  std::ifstream in(options.file, std::ios::binary);
  importer all(options, *token, in);
  if (const auto begun = all.begin(); !begun) return refuse(begun.error());
  const auto& p = all.progress();
  const bool before = p.complete();
  const auto done = before ? result<void>{} : all.run();
  if (before)
    fmt::print("Nothing was sent: this file was imported completely before, with this result. To import it again, "
               "delete {}.\n",
               all.progress_path());
  fmt::print("{} lines read: {} accepted, {} duplicates{}, {} conflicts, {} refused{}\n", p.line - 1, p.accepted,
             p.duplicates, p.changed > 0 ? fmt::format(" ({} of them say something else than before)", p.changed) : "",
             p.conflicts, p.refused, before ? "" : fmt::format("; {:.0f} lines/s", all.per_second()));
  const bool clean = p.changed + p.conflicts + p.refused == 0;
  if (!clean)
    fmt::print("The lines that were not taken are in {}, why in {}.\n", all.refused_path(), all.reasons_path());
  if (!done) {
    fmt::print(stderr, "{}\n{}\n", done.error().message, what_to_do_about(done.error()));
    return 1;
  }
  if (p.accepted + p.duplicates + p.conflicts + p.refused == 0)
    return refuse({errc::invalid_argument, fmt::format("There is no identifier in {}.", options.file), {}});
  if (clean) all.remove_refused();
  return clean ? 0 : 1;
}

} // namespace matricula::commands
