// SPDX-License-Identifier: Apache-2.0
// Rows as JSON. What is not known is null, never left out; times are ISO 8601 in UTC, spans are seconds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "keyhole/db/rows.h"
#include "keyhole/explain/summary.h"

namespace keyhole::cli {

nlohmann::json to_json(const RunRow& row);
nlohmann::json to_json(const ProcessRow& row);
nlohmann::json to_json(const LookupRow& row);
nlohmann::json to_json(const EntryRow& row);
nlohmann::json to_json(const ComponentChange& change);
nlohmann::json to_json(const Problem& problem);
/// A run's misses by cause. `note`: why there are no lookups; empty: there are.
nlohmann::json to_json(const std::string& run, const RunSummary& summary, const std::string& note = {});
nlohmann::json to_json(const Cause& cause);

/// "2026-11-21T10:01:12.000000Z"; null where it is not known.
nlohmann::json time_json(Nanoseconds time);
/// A span in seconds; null where it is not known.
nlohmann::json seconds_json(Nanoseconds span);
nlohmann::json text_or_null(const std::string& text);

/// The document and a newline; bytes that are no UTF-8 become U+FFFD.
std::string dump(const nlohmann::json& document);

/// The first 8 characters and "…"; shorter texts whole.
std::string short_key(const std::string& key);

}  // namespace keyhole::cli
