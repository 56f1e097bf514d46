// SPDX-License-Identifier: Apache-2.0
// What would spoil a warm start: of this environment, of the folder that caches live in, of what a store tells. Looks
// only; everything of the operating system goes through keyhole/base/os.h.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keyhole/db/rows.h"

namespace keyhole {
class Reader;
}

namespace keyhole::cli {

struct Finding {
  bool spoils = true;  ///< false: worth knowing, a warm start still hits
  std::string check;   ///< "cache_off", "provenance", "environment", "folder", "clock", "store", "versions", "unstable"
  std::string what, why, advice;
};

/// The value of a variable; absent where it is not set.
using Variables = std::optional<std::string> (*)(const char* name);

/// Variables that switch caches off. The names and their meanings: torch/_inductor/config.py,
/// torch/_functorch/config.py and torch/compiler/config.py of PyTorch 2.13.
std::vector<Finding> check_variables(Variables variables);
/// The folder that PyTorch's caches will live in: there or to be made, writable, with room, local, lasting.
std::vector<Finding> check_folder(const std::string& folder);
/// No run of the store, and no file of the folder, may lie in the future.
std::vector<Finding> check_clock(const std::string& folder, const std::vector<RunRow>& runs);
/// Variables of the last run that are set otherwise here, as far as they enter keys.
std::vector<Finding> check_same_as_last_run(const RunRow& last, const std::string& environment_json);
/// The PyTorch that `python` is here (by its files, nothing is run) against that of the last run.
std::vector<Finding> check_versions(Reader& reader, const RunRow& last, Variables variables);
/// The folder that the store is in.
std::vector<Finding> check_store_folder(const std::string& store);
/// Caches that the last run had off; components that change at every run with equal inputs; and processes of one run
/// with several versions.
std::vector<Finding> check_unstable(Reader& reader, const RunRow& last);

}  // namespace keyhole::cli
