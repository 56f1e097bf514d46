// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstdlib>
#include <iterator>
#include <nlohmann/json.hpp>

#include "checkup.h"
#include "command.h"
#include "environment.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/upkeep.h"
#include "store_access.h"
#include "stored_entries.h"
#include "terminal.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

void append(std::vector<Finding>& out, std::vector<Finding> more) {
  out.insert(out.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
}

void store_fault(std::vector<Finding>& out, std::string what) {
  out.push_back(
      {true, "store", std::move(what), "what was recorded or kept cannot be relied on", "keyhole verify --repair"});
}

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? std::optional<std::string>(value) : std::nullopt;
}

/// The store: sound, and as the last run left this environment. No store at all is no fault.
std::vector<Finding> check_store(const std::string& store, const std::string& cache_folder) {
  std::vector<Finding> out;
  std::vector<RunRow> runs;
  if (file_size(store + "/history.db") > 0) {
    const auto verified = verify_history(store, false);
    if (!verified)
      store_fault(out, verified.error().line());
    else
      for (const auto& fault : verified->faults) store_fault(out, "history.db: " + fault.what);
    if (auto reader = Reader::open(store)) {
      if (auto rows = reader->runs()) runs = std::move(*rows);
      if (!runs.empty()) {
        append(out, check_same_as_last_run(runs.back(), environment_json()));
        append(out, check_versions(*reader, runs.back(), variable));
        append(out, check_unstable(*reader, runs.back()));
      }
    }
  }
  if (file_size(store + "/cache.db") > 0) {
    const auto verified = verify_cache(store, false);
    if (!verified)
      store_fault(out, verified.error().line());
    else
      for (const Problem& p : verified->problems) store_fault(out, p.source + ": " + p.what);
  }
  append(out, check_store_folder(store));
  append(out, check_clock(cache_folder, runs));
  return out;
}

int doctor(const Globals& globals) {
  const std::string folder = inductor_cache_dir();
  std::vector<Finding> findings = check_variables(variable);
  append(findings, check_folder(folder));
  append(findings, check_store(globals.store, folder));
  std::int64_t spoiling = 0;
  for (const Finding& f : findings) spoiling += f.spoils;

  int printed = kDone;
  if (globals.json) {
    json list = json::array();
    for (const Finding& f : findings)
      list.push_back(
          {{"check", f.check}, {"spoils", f.spoils}, {"what", f.what}, {"why", f.why}, {"advice", f.advice}});
    printed = print(dump({{"cache_folder", folder},
                          {"store", globals.store},
                          {"warm_start", spoiling == 0},
                          {"findings", std::move(list)}}));
  } else {
    const Terminal terminal = Terminal::of(stdout);
    std::string out;
    for (const Finding& f : findings)
      out += fmt::format("{}  {}\n         {}\n         {}\n",
                         terminal.paint(f.spoils ? "spoils " : "note   ", f.spoils ? Style::bad : Style::warning),
                         printable(f.what), printable(f.why), printable(f.advice));
    out += fmt::format("{}: {}\n", printable(folder),
                       spoiling == 0 ? "nothing in the way of a warm start"
                                     : count_text(spoiling, "thing spoils", "things spoil") + " a warm start");
    printed = print(out);
  }
  return printed == kDone && spoiling ? kFailed : printed;
}

}  // namespace

void add_doctor(Commands& commands) {
  commands.add("doctor", "What would spoil a warm start here, and what to do; exit status 1 where something would",
               "  keyhole doctor\n  keyhole doctor --json");
  commands.on([](const Globals& globals) { return doctor(globals); });
}

}  // namespace keyhole::cli
