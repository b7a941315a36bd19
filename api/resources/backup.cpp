#include "api/resources/backup.hpp"

#include "api/json.hpp"
#include "api/json_writer.hpp"
#include "storage/backup.hpp"

namespace matricula::api {

std::vector<route> backup_routes(backup_sources sources) {
  const auto make = [sources](const request& r) -> outcome<response> {
    json::fields body(r.body);
    const auto directory = body.text("directory", {.bytes_max = 4'096});
    if (!directory.empty() && directory.front() != '/')
      body.refuse_field("directory", "must be an absolute path on the node.");
    if (auto bad = body.wrong()) return std::unexpected(*bad);
    if (auto ok = audit_without_reason(r, "backup.make", directory, sources.audit); !ok)
      return std::unexpected(ok.error());
    const auto made = storage::make_backup(*sources.store, directory, sources.time->now());
    if (!made) return std::unexpected(refusal(made.error()));
    std::uint64_t bytes = 0;
    for (const auto& file : made->files) bytes += file.bytes;
    json::writer w;
    w.begin_object().member("directory", directory).member("made_at", to_rfc3339(made->made_at));
    w.member("last_group", made->last.number).member("files", made->files.size()).member("bytes", bytes).end_object();
    return response{.status = 201, .body = std::move(w).str()};
  };
  return {{"POST", "/v1/backups", "storage:backup", make}};
}

} // namespace matricula::api
