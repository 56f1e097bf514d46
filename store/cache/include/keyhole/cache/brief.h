// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/records.h"

namespace keyhole {

/// The run that short-lived processes belong to: the build that starts them, not each of them.
struct BriefRun {
  std::string name;
  std::vector<std::string> argv;
};

/// Leaves the one lookup of a process that ends now, for whoever opens the store next: a journal of some hundred bytes
/// instead of the 256 KiB that a lasting process maps (journal.h). `entry`: what was served, which names the components
/// of a hit; 0: none. Takes no lock, does not sync. False: it could not be written, and is lost.
bool leave_lookup(const std::string& store, const BriefRun& run, const LookupRecord& lookup, std::int64_t entry);

}  // namespace keyhole
