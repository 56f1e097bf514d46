// SPDX-License-Identifier: Apache-2.0
#include "json_output.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

using nlohmann::json;

namespace keyhole::cli {
json time_json(Nanoseconds time) {
  if (time == kUnknownTime) return nullptr;
  const auto whole = static_cast<std::time_t>(time / 1'000'000'000);
  std::tm utc{};
  gmtime_r(&whole, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:06}Z", text, time % 1'000'000'000 / 1000);
}

json seconds_json(Nanoseconds span) {
  return span < 0 ? json(nullptr) : json(static_cast<double>(span) / 1e9);
}

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

namespace {

json number_or_null(std::int64_t value) {
  return value < 0 ? json(nullptr) : json(value);
}

/// A document kept as text; null where it is not known.
json document(const std::string& text) {
  json parsed = json::parse(text, nullptr, false);
  return parsed.is_discarded() ? json(nullptr) : parsed;
}

}  // namespace

json to_json(const RunRow& row) {
  const RunRecord& r = row.record;
  return {{"run", r.name},
          {"start", time_json(r.start)},
          {"end", time_json(r.end)},
          {"argv", r.argv},
          {"cwd", text_or_null(r.cwd)},
          {"exit_status", r.exit_status ? json(*r.exit_status) : json(nullptr)},
          {"git_commit", text_or_null(r.git_commit)},
          {"git_dirty", r.git_commit.empty() ? json(nullptr) : json(r.git_dirty)},
          {"environment", document(r.env_json)},
          {"versions", document(r.versions_json)},
          {"processes", row.processes},
          {"lookups", row.lookups},
          {"hits", row.hits},
          {"misses", row.misses},
          {"bypasses", row.bypasses}};
}

json to_json(const ProcessRow& row) {
  const ProcessRecord& r = row.record;
  return {{"host", text_or_null(r.host)},
          {"pid", number_or_null(r.pid)},
          {"rank", r.rank ? json(*r.rank) : json(nullptr)},
          {"start", time_json(r.start)},
          {"cache_folder", text_or_null(r.cache_dir)},
          {"versions", document(r.versions_json)}};
}

json to_json(const LookupRow& row) {
  const LookupRecord& r = row.record;
  return {{"lookup", row.id},
          {"run", row.run_name},
          {"rank", row.rank ? json(*row.rank) : json(nullptr)},
          {"time", time_json(r.time)},
          {"layer", name_of(r.layer)},
          {"compile_id", text_or_null(r.compile.text())},
          {"attempt", r.compile.attempt},
          {"direction", name_of(r.direction)},
          {"key", text_or_null(r.key)},
          {"outcome", name_of(r.outcome)},
          {"status", text_or_null(r.status)},
          {"cache_off", r.cache_off},
          {"duration_seconds", seconds_json(r.duration)},
          {"cost_seconds", seconds_json(r.cost)},
          {"saved_seconds", seconds_json(r.saved)},
          {"guard", text_or_null(r.guard)},
          {"reason", text_or_null(r.reason)},
          {"load_error", text_or_null(r.load_error)},
          {"save_error", text_or_null(r.save_error)},
          {"function", text_or_null(row.function)},
          {"file", text_or_null(row.filename)},
          {"line", number_or_null(row.line)}};
}

json to_json(const EntryRow& row) {
  const EntryRecord& r = row.record;
  return {{"entry", row.id},
          {"layer", name_of(r.layer)},
          {"key", r.key},
          {"path", r.path},
          {"state", name_of(r.state)},
          {"state_reason", text_or_null(r.state_reason)},
          {"size", r.size},
          {"modified", time_json(r.modified)},
          {"guard", text_or_null(r.guard)},
          {"direction", name_of(r.direction)},
          {"cost_seconds", seconds_json(r.cost)},
          {"code_key", text_or_null(r.code_key)},
          {"needs", r.needs},
          {"metadata", document(r.metadata_json)}};
}

json to_json(const ComponentChange& change) {
  const ComponentPtr any = change.after ? change.after : change.before;
  const auto side = [](ComponentPtr c) {
    return c ? json{{"digest", c->digest.base32()}, {"text", c->text}} : json(nullptr);
  };
  return {{"component", any ? any->name : ""}, {"before", side(change.before)}, {"after", side(change.after)}};
}

json to_json(const Problem& problem) {
  return {{"source", problem.source},
          {"offset", number_or_null(problem.offset)},
          {"what", problem.what},
          {"hint", text_or_null(problem.hint)}};
}

json to_json(const std::string& run, const RunSummary& summary, const std::string& note) {
  json causes = json::array();
  for (const CauseTotal& c : summary.causes)
    causes.push_back(
        {{"component", text_or_null(c.component)},
         {"before", text_or_null(c.before)},
         {"after", text_or_null(c.after)},
         {"class", text_or_null(c.cause_class)},
         {"verdict", name_of(c.verdict)},
         {"summary", c.summary},
         {"fix", text_or_null(c.fix)},
         {"baseline",
          c.baseline_run.empty() ? json(nullptr) : json{{"run", c.baseline_run}, {"reason", c.baseline_reason}}},
         {"seconds", c.seconds},
         {"misses", c.misses},
         {"lookups", c.lookups}});
  return {{"run", run},
          {"lookups", summary.lookups},
          {"hits", summary.hits},
          {"misses", summary.misses},
          {"bypasses", summary.bypasses},
          {"seconds_lost", summary.seconds_lost},
          {"seconds_saved", summary.seconds_saved},
          {"note", text_or_null(note)},
          {"causes", std::move(causes)}};
}

json to_json(const Cause& cause) {
  return {{"component", cause.component},
          {"before", text_or_null(cause.before)},
          {"after", text_or_null(cause.after)},
          {"role", cause.role == Role::root ? "root" : "consequence"},
          {"class", text_or_null(cause.cause_class)},
          {"certainty", cause.certainty == Certainty::proven ? "proven" : "inferred"}};
}

std::string dump(const json& document) {
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string short_key(const std::string& key) {
  return key.size() <= 9 ? key : key.substr(0, 8) + "…";
}

}  // namespace keyhole::cli
