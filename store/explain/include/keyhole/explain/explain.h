// SPDX-License-Identifier: Apache-2.0
// Why a lookup went as it did. Pure functions over records: no database, no clock, no files.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/db/rows.h"

namespace keyhole {

/// The closed set of docs: what a lookup's outcome means. The numbers never change.
enum class Verdict : std::uint8_t {
  hit = 1,
  cache_off = 2,
  bypass = 3,
  never_seen = 4,
  key_differs = 5,
  identity_only = 6,
  components_not_recorded = 7,
  guard_failed = 8,
  env_validation = 9,
  entry_unreadable = 10,
  dependent_missing = 11,
  never_saved = 12,
  evicted = 13,
  other_location = 14,
  autotune_miss = 15,
  io_error = 16,
  race = 17,
  recompile = 18,
  unknown = 19
};
[[nodiscard]] const char* name_of(Verdict verdict);  ///< "key_differs"

enum class Role : std::uint8_t { root = 1, consequence = 2 };
enum class Certainty : std::uint8_t { inferred = 1, proven = 2 };
[[nodiscard]] const char* name_of(Role role);            ///< "root"
[[nodiscard]] const char* name_of(Certainty certainty);  ///< "inferred"

/// One difference that explains a miss.
struct Cause {
  std::string component;      ///< "inductor_config[epilogue_fusion]"
  std::string before, after;  ///< narrowed to what changed: "[8, 16]" and "[16, 16]"; empty: absent on that side
  Role role = Role::root;
  std::string cause_class;  ///< "shape", "config", "instability:pid", ... (docs list them)
  Certainty certainty = Certainty::inferred;
  std::string note;  ///< the evidence where only a digest differs; empty: the texts say it
};

/// One stored entry's guard against the hints of the lookup.
struct GuardFinding {
  RowId entry = 0;             ///< 0: known only from the lookup's own record
  std::string expression;      ///< whole
  std::string failing_clause;  ///< empty: holds, or could not be evaluated
  std::string hints;           ///< JSON object {"s0": 9}; "{}" where none are known
  std::string source;          ///< what the failing hint is the size of: "L['x'].size()[0]"; empty: not known
  std::string user_line;       ///< "train.py:12: if n > 4:"; empty: not known
  bool asks_here = false;      ///< user_line asked for the clause; else it is where the size was first used
  std::string error;           ///< why it could not be evaluated
};

struct Scored {
  RowId lookup = 0;
  double score = 0;    ///< 0 to 1
  std::string reason;  ///< "same graph, same compile id"
};

struct ChainLink {
  Layer layer = Layer::fx_graph;
  Outcome outcome = Outcome::miss;
  RowId lookup = 0;
};

struct Explanation {
  RowId lookup = 0;
  Verdict verdict = Verdict::unknown;
  std::string summary;      ///< one line, at most 240 characters, names old -> new
  std::string fix;          ///< what to do; empty: nothing to advise
  double cost_seconds = 0;  ///< lost by this miss alone; what an outer miss already counts is not in it
  std::optional<LookupRow> baseline;
  double baseline_score = 0;
  std::string baseline_reason;
  std::vector<Scored> candidates;  ///< the baseline first, then the runners-up
  std::vector<Cause> causes;       ///< roots first; the first is the one to act on
  std::vector<GuardFinding> guards;
  std::vector<ChainLink> chain;  ///< the other layers of the same compile, in order
};

/// An entry somewhere, with the snapshot that saw it.
struct SeenEntry {
  EntryRow entry;
  SnapshotRow snapshot;
};

/// Everything that one explanation needs, loaded beforehand (load_case of keyhole/explain/loader.h) or made by a test.
struct Case {
  LookupRow subject;                   ///< record.components filled
  std::vector<LookupRow> candidates;   ///< other keys; components filled
  std::vector<LookupRow> same_key;     ///< earlier lookups of the same key, newest first
  std::vector<LookupRow> compile;      ///< all lookups of the subject's compile, in the order of time, subject included
  std::vector<LookupRow> run;          ///< lookups of the subject's run around it (other layers, other compiles, ranks)
  std::vector<SeenEntry> entries;      ///< entries under the subject's key, in any location
  std::vector<SnapshotRow> snapshots;  ///< of any location
  std::optional<TombstoneRow> tombstone;  ///< of the subject's key in the store's own cache, the newest
  std::optional<CompileRow> compile_row;
  std::vector<SymbolRecord> symbols;
  /// Lookups of inner layers in the same compile, as cases of their own: what an outer lookup whose components were not
  /// recorded is explained by. Theirs are empty.
  std::vector<Case> inner;
  // Asked for only when needed; null where there is nothing to ask.
  /// Texts of a lookup's compile (graphs, functorch config).
  std::function<std::vector<TextRecord>(const LookupRow&, TextKind)> texts;
  /// The process of a lookup (pid, versions).
  std::function<std::optional<ProcessRow>(const LookupRow&)> process;
  /// Why the compile of a lookup failed; empty: it did not, or is not recorded.
  std::function<std::string(const LookupRow&)> failure;
  /// All lookups of the compile of a lookup, in the order of time.
  std::function<std::vector<LookupRow>(const LookupRow&)> compile_of;
  /// Of the run before: this function's compile while the layer's cache was off, which stored nothing. Absent: none.
  std::function<std::optional<LookupRow>()> compiled_without_cache;
  /// Of an earlier run: the newest lookup of the subject's layer for the same function and compile id. Absent: none.
  std::function<std::optional<LookupRow>()> same_compile_before;
  std::optional<RowId> against;  ///< the user's choice of a baseline
};

[[nodiscard]] Explanation explain(const Case& c);

}  // namespace keyhole
