// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "command.h"
#include "format.h"
#include "json_output.h"
#include "keyhole/base/os.h"
#include "keyhole/db/upkeep.h"
#include "store_access.h"

namespace keyhole::cli {
namespace {

int backup(const Globals& globals, const std::string& file) {
  if (auto reader = open_store(globals.store); !reader) return report(reader.error());
  if (auto copied = backup_history(globals.store, file); !copied) return report(copied.error());
  FileInfo info;
  if (os().stat(file, info) != 0) return report(os_error(errno, "look at the copy", file));
  if (globals.json) return print(dump({{"file", file}, {"size", info.size}}));
  return print(fmt::format("{}: {}\n", printable(file), size_text(info.size)));
}

}  // namespace

void add_backup(Commands& commands) {
  Command command =
      commands.add("backup", "Copy the history to one file, whole and consistent, while others go on recording",
                   "  keyhole backup history-2026-11-21.db\n"
                   "  mkdir copy && mv history-2026-11-21.db copy/history.db && keyhole --store copy log");
  auto file = std::make_shared<std::string>();
  command.text("FILE", *file, "Where the copy goes; must not exist", true);
  commands.on([file](const Globals& globals) { return backup(globals, *file); });
}

}  // namespace keyhole::cli
