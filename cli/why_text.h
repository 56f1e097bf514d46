// SPDX-License-Identifier: Apache-2.0
// Explanations as a person reads them.
#pragma once

#include <string>
#include <vector>

#include "keyhole/db/rows.h"
#include "keyhole/explain/summary.h"
#include "terminal.h"

namespace keyhole::cli {

struct TextOptions {
  Terminal terminal;
  Nanoseconds now = kUnknownTime;
  bool verbose = false;
};

/// A run: what it lost in the first line, then two lines a cause, most seconds first. `told` is what was summarised.
std::string why_run_text(const std::string& title, const RunSummary& summary, const std::vector<Told>& told,
                         const TextOptions& options);
/// The causes alone.
std::string causes_text(const RunSummary& summary, const std::vector<Told>& told, const TextOptions& options);
/// "python train.py, 10:01:12", or the run's name where the program is not known.
std::string run_title(const RunRow& run, Nanoseconds now);

/// One lookup: what happened, the cause, the fix and the baseline; -v: all causes, candidates, guards, the chain.
std::string why_lookup_text(const Told& told, const TextOptions& options);

/// A line for each lookup.
std::string why_all_text(const std::vector<Told>& told, const TextOptions& options);

}  // namespace keyhole::cli
