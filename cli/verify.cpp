// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/base/os.h"
#include "keyhole/cache/maintenance.h"
#include "keyhole/db/upkeep.h"
#include "store_access.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

bool is_there(const std::string& path) {
  FileInfo info;
  return os().stat(path, info) == 0;
}

/// cache.db can be thrown away: what cannot even be opened is moved aside, and the next put begins a new one.
Result<Verified> check_cache(const std::string& store, bool repair, std::string& set_aside) {
  auto verified = verify_cache(store, repair);
  const auto kind = verified ? ErrorKind::usage : verified.error().kind;
  if (verified || !repair || (kind != ErrorKind::corrupt && kind != ErrorKind::bad_input)) return verified;
  auto aside = set_cache_aside(store);
  if (!aside) return tl::make_unexpected(aside.error());
  set_aside = *aside;
  Verified mended;
  mended.problems.push_back({store + "/cache.db", -1, verified.error().what, "it was set aside as " + *aside});
  mended.repaired = 1;
  return mended;
}

int verify(const Globals& globals, bool repair) {
  const bool history_there = is_there(globals.store + "/history.db"),
             cache_there = is_there(globals.store + "/cache.db");
  if (!history_there && !cache_there) return report(no_store(globals.store));
  VerifyReport history;
  if (history_there) {
    auto checked = verify_history(globals.store, repair);
    // Whoever made the store was killed before its first commit: nothing is in it, and nothing is wrong with it.
    const bool empty = !checked && checked.error().kind == ErrorKind::not_found;
    if (!checked && !empty) return report(checked.error());
    if (checked) history = std::move(*checked);
  }
  Verified cache;
  std::string cache_aside;
  if (cache_there) {
    auto checked = check_cache(globals.store, repair, cache_aside);
    if (!checked) return report(checked.error());
    cache = std::move(*checked);
  }
  std::size_t left = 0;
  for (const auto& fault : history.faults) left += !fault.mended;
  if (!repair) left += cache.problems.size();
  const bool sound = history.faults.empty() && cache.problems.empty();

  int printed = kDone;
  if (globals.json) {
    json faults = json::array();
    for (const auto& f : history.faults)
      faults.push_back({{"file", "history.db"}, {"what", f.what}, {"mended", f.mended}});
    for (const Problem& p : cache.problems)
      faults.push_back({{"file", p.source}, {"what", p.what}, {"mended", repair}});
    printed = print(dump({{"sound", sound},
                          {"faults", std::move(faults)},
                          {"lookups", history.lookups},
                          {"component_sets", history.component_sets},
                          {"texts", history.texts},
                          {"cache_entries", cache.entries},
                          {"cache_blobs", cache.blobs},
                          {"cache_bytes", cache.bytes},
                          {"history_set_aside", text_or_null(history.set_aside)},
                          {"cache_set_aside", text_or_null(cache_aside)}}));
  } else {
    std::string out;
    for (const auto& f : history.faults)
      out += fmt::format("{}: {}\n", f.mended ? "mended" : "fault", printable(f.what));
    for (const Problem& p : cache.problems)
      out += fmt::format("{}: {}: {}\n", repair ? "mended" : "fault", printable(p.source), printable(p.what));
    if (!history.set_aside.empty()) out += "the damaged history is kept as " + printable(history.set_aside) + "\n";
    if (!cache_aside.empty()) out += "the damaged cache is kept as " + printable(cache_aside) + "\n";
    out += fmt::format("{}: {}, {}, {}; {} of the cache\n",
                       sound  ? "sound"
                       : left ? "not sound"
                              : "mended",
                       count_text(history.lookups, "lookup"), count_text(history.component_sets, "component set"),
                       count_text(history.texts, "text"), count_text(cache.entries, "entry", "entries"));
    printed = print(out);
    if (left && !repair && printed == kDone)
      report(
          {ErrorKind::corrupt, "the store is not sound", globals.store, "keyhole verify --repair mends what it can"});
  }
  return left ? kFailed : printed;
}

}  // namespace

void add_verify(Commands& commands) {
  Command command = commands.add("verify", "Check that every part of the store can be read; exit status 1 where not",
                                 "  keyhole verify\n  keyhole verify --repair");
  auto repair = std::make_shared<bool>(false);
  command.flag("--repair", *repair,
               "Mend it: what can be read is kept, a damaged file is set aside, a damaged cache is begun anew");
  commands.on([repair](const Globals& globals) { return verify(globals, *repair); });
}

}  // namespace keyhole::cli
