// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "exported.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/explain/loader.h"
#include "keyhole/explain/summary.h"
#include "store_access.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct ExportOptions {
  std::vector<std::string> runs;
  std::string html, json_file;
  bool redacted = false;
};

Result<json> document_of(Reader& reader, const RunRow& run) {
  ComponentPool pool;
  CaseLoader loader(reader, pool);
  const auto told = loader.tell_run(run.id);
  if (!told) return tl::make_unexpected(told.error());
  const RunSummary summary = summarise(*told);
  json out = to_json(run);
  out["program"] = program_text(run.record.argv);
  out["seconds_lost"] = summary.seconds_lost;
  out["seconds_saved"] = summary.seconds_saved;
  out["causes"] = to_json(run.record.name, summary);
  out["verdicts"] = json::parse(keyhole::to_json(*told));
  return out;
}

int write_out(const std::string& path, const std::string& text) {
  if (path == "-") return print(text);
  std::FILE* file = std::fopen(path.c_str(), "wb");
  const bool whole = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int error = errno;
  const bool closed = file == nullptr || std::fclose(file) == 0;
  if (whole && closed) return kDone;
  return report({ErrorKind::io, std::string("cannot be written: ") + std::strerror(whole ? errno : error), path, {}});
}

int export_runs(const Globals& globals, const ExportOptions& options) {
  if (options.html.empty() == options.json_file.empty())
    return report(
        {ErrorKind::usage, "give --html FILE or --json FILE", {}, "keyhole export --redact --html report.html"});
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  json runs = json::array();
  const std::vector<std::string> names = options.runs.empty() ? std::vector<std::string>{""} : options.runs;
  for (const std::string& name : names) {
    const auto run = find_run(*reader, name);
    if (!run) return report(run.error());
    auto document = document_of(*reader, *run);
    if (!document) return report(document.error());
    runs.push_back(std::move(*document));
  }
  json document = {{"format", "keyhole-export-1"},
                   {"made_by", "keyhole " KEYHOLE_VERSION},
                   {"redacted", options.redacted},
                   {"runs", std::move(runs)}};
  if (options.redacted) redact(document, fresh_salt());
  return options.html.empty() ? write_out(options.json_file, dump(document))
                              : write_out(options.html, page_of(document));
}

}  // namespace

void add_export(Commands& commands) {
  Command command =
      commands.add("export", "One file to share: a run's lookups with their verdicts, as a page or as JSON",
                   "  keyhole export --html report.html\n"
                   "  keyhole export --redact --json report.json    # hashes in the place of texts",
                   false);
  auto options = std::make_shared<ExportOptions>();
  command.texts("--run", options->runs, "These runs; else the last");
  command.text("--html", options->html, "Write a page that needs nothing else to this file; - is stdout");
  command.text("--json", options->json_file, "Write JSON to this file; - is stdout");
  command.flag("--redact", options->redacted, "Replace texts by hashes: equal texts stay equal, the structure stays");
  commands.on([options](const Globals& globals) { return export_runs(globals, *options); });
}

}  // namespace keyhole::cli
