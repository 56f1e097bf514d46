// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/db/query.h"
#include "store_access.h"
#include "table.h"

using nlohmann::json;

namespace keyhole::cli {
namespace {

struct SearchOptions {
  std::string text;
  std::size_t limit = 50;
};

const char* name_of(SearchHit::Kind kind) {
  switch (kind) {
    case SearchHit::Kind::key:
      return "key";
    case SearchHit::Kind::component:
      return "component";
    case SearchHit::Kind::text:
      return "text";
    case SearchHit::Kind::entry:
      return "entry";
    case SearchHit::Kind::run:
      return "run";
  }
  return "";
}

int search(const Globals& globals, const SearchOptions& options) {
  if (options.text.empty()) return report({ErrorKind::usage, "there is nothing to search for", {}, "give a text"});
  auto reader = open_store(globals.store);
  if (!reader) return report(reader.error());
  const auto found = reader->search(options.text, options.limit);
  if (!found) return report(found.error());
  if (globals.json) {
    json out = json::array();
    for (const SearchHit& hit : *found)
      out.push_back({{"kind", name_of(hit.kind)}, {"id", hit.id}, {"name", hit.name}, {"excerpt", hit.excerpt}});
    return print(dump(out));
  }
  if (found->empty()) return print("nothing found\n");
  Table table({{"KIND"}, {"ID", true}, {"NAME"}, {"EXCERPT"}});
  for (const SearchHit& hit : *found)
    table.add({name_of(hit.kind), std::to_string(hit.id), shorten(hit.name, 60), shorten(hit.excerpt, 160)});
  std::string out = table.text(Terminal::of(stdout));
  if (found->size() == options.limit) out += fmt::format("the first {}; -n shows more\n", options.limit);
  return print(out);
}

}  // namespace

void add_search(Commands& commands) {
  Command command =
      commands.add("search", "Where a text stands: in keys, components, graphs, code, guards, entries and runs",
                   "  keyhole search epilogue_fusion\n  keyhole search 'shape=[8, 16]' -n 200");
  auto options = std::make_shared<SearchOptions>();
  command.text("TEXT", options->text, "Upper and lower case are the same", true);
  command.number("-n", options->limit, "At most so many places (50)");
  commands.on([options](const Globals& globals) { return search(globals, *options); });
}

}  // namespace keyhole::cli
