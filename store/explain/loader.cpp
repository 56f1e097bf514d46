// SPDX-License-Identifier: Apache-2.0
#include "keyhole/explain/loader.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace keyhole {
namespace {

// Bounds whatever the size of the store.
constexpr std::size_t kCandidates = 12;     // of each kind that Reader::baseline_candidates joins
constexpr std::size_t kSameKey = 64;        // earlier lookups of one key
constexpr std::size_t kStoredEntries = 64;  // entries of a snapshot, where no earlier lookup may serve
constexpr std::size_t kRunsBack = 8;        // runs that same_compile_before looks through
constexpr std::size_t kTexts = 64;          // kept in memory

bool looked_up_in_vain(const LookupRow& row) {
  return !row.record.cache_off && (row.record.outcome == Outcome::miss || row.record.outcome == Outcome::guard_miss ||
                                   row.record.outcome == Outcome::error);
}

/// The same function, in this checkout or another one.
bool same_place(const LookupRow& a, const LookupRow& b) {
  const auto base = [](const std::string& path) { return std::string_view(path).substr(path.find_last_of('/') + 1); };
  return a.function == b.function && base(a.filename) == base(b.filename);
}

}  // namespace

struct CaseLoader::Impl {
  Reader& reader;
  ComponentPool& pool;
  std::unordered_map<RowId, std::vector<ComponentPtr>> sets;
  std::map<std::tuple<RowId, CompileId, TextKind>, std::vector<TextRecord>> texts;
  std::unordered_map<RowId, std::optional<ProcessRow>> processes;
  std::optional<std::vector<SnapshotRow>> snapshots;

  Result<void> fill(LookupRow& row) {
    if (row.component_set == 0) return {};
    auto found = sets.find(row.component_set);
    if (found == sets.end()) {
      auto loaded = reader.components(row.component_set, pool);
      if (!loaded) return tl::unexpected(loaded.error());
      found = sets.emplace(row.component_set, std::move(*loaded)).first;
    }
    row.record.components = found->second;
    return {};
  }

  std::vector<TextRecord> texts_of(const LookupRow& row, TextKind kind) {
    const std::tuple key{row.process, row.record.compile, kind};
    if (const auto found = texts.find(key); found != texts.end()) return found->second;
    auto loaded = reader.texts(row.process, row.record.compile, kind);
    if (!loaded) return {};
    if (texts.size() >= kTexts) texts.clear();
    return texts.emplace(key, std::move(*loaded)).first->second;
  }

  std::optional<ProcessRow> process_of(const LookupRow& row) {
    if (const auto found = processes.find(row.process); found != processes.end()) return found->second;
    std::optional<ProcessRow> out;
    if (auto all = reader.processes(row.run)) {
      for (ProcessRow& p : *all) {
        processes.emplace(p.id, p);
        if (p.id == row.process) out = p;
      }
    }
    return out;
  }

  std::optional<LookupRow> compiled_without_cache(const LookupRow& subject) {
    if (subject.function.empty()) return std::nullopt;
    auto all = reader.runs();
    if (!all) return std::nullopt;
    const RunRow* before = nullptr;
    for (const RunRow& run : *all) {
      if (run.id == subject.run) break;
      if (run.lookups > 0) before = &run;
    }
    if (before == nullptr) return std::nullopt;
    auto rows = reader.lookups_of_run(before->id);
    if (!rows) return std::nullopt;
    for (LookupRow& row : *rows) {
      if (row.record.cache_off && row.record.layer == subject.record.layer && same_place(row, subject))
        return std::move(row);
    }
    return std::nullopt;
  }

  std::optional<LookupRow> same_compile_before(const LookupRow& subject) {
    if (subject.function.empty()) return std::nullopt;
    auto all = reader.runs();
    if (!all) return std::nullopt;
    std::vector<RowId> earlier;
    for (const RunRow& run : *all) {
      if (run.id == subject.run) break;
      if (run.lookups > 0) earlier.push_back(run.id);
    }
    if (earlier.size() > kRunsBack) earlier.erase(earlier.begin(), earlier.end() - kRunsBack);
    for (auto run = earlier.rbegin(); run != earlier.rend(); ++run) {
      auto rows = reader.lookups_of_run(*run);
      if (!rows) return std::nullopt;
      for (LookupRow& row : *rows) {
        if (row.record.layer == subject.record.layer && row.record.compile == subject.record.compile &&
            same_place(row, subject))
          return std::move(row);
      }
    }
    return std::nullopt;
  }

  Result<void> history(Case& c, std::optional<RowId> against);
  Result<void> stored_baselines(Case& c);
  Result<Case> load(LookupRow subject, std::optional<RowId> against, bool with_inner);
};

/// Entries that the cache folder held before the run: what a first recording is compared with.
Result<void> CaseLoader::Impl::stored_baselines(Case& c) {
  const SnapshotRow* last = nullptr;
  for (const SnapshotRow& s : c.snapshots) {
    const bool here = c.subject.cache_dir.empty() || s.record.location == c.subject.cache_dir;
    const bool before = s.record.moment != SnapshotMoment::after || s.run != c.subject.run;
    const bool earlier = s.record.time == kUnknownTime || c.subject.record.time == kUnknownTime ||
                         s.record.time <= c.subject.record.time;
    if (here && before && earlier && (last == nullptr || last->record.time <= s.record.time)) last = &s;
  }
  if (last == nullptr) return {};
  auto entries = reader.entries_of_snapshot(last->id);
  if (!entries) return tl::unexpected(entries.error());
  std::stable_sort(entries->begin(), entries->end(),
                   [](const EntryRow& a, const EntryRow& b) { return a.record.modified > b.record.modified; });
  std::size_t taken = 0;
  for (const EntryRow& e : *entries) {
    if (e.component_set == 0 || e.record.layer != c.subject.record.layer || e.record.key == c.subject.record.key)
      continue;
    LookupRow row;  // an entry in the place of the lookup that made it: its id is negative
    row.id = -e.id;
    row.component_set = e.component_set;
    row.run_order = c.subject.run_order - 1;
    row.cache_dir = last->record.location;
    row.record.layer = e.record.layer;
    row.record.key = e.record.key;
    row.record.direction = e.record.direction;
    row.record.time = e.record.modified;
    if (auto filled = fill(row); !filled) return filled;
    c.candidates.push_back(std::move(row));
    if (++taken == kStoredEntries) break;
  }
  return {};
}

Result<void> CaseLoader::Impl::history(Case& c, std::optional<RowId> against) {
  const LookupRow& subject = c.subject;
  if (!subject.record.key.empty()) {
    auto same = reader.lookups_with_key(subject.record.layer, subject.record.key, subject.id, kSameKey);
    if (!same) return tl::unexpected(same.error());
    c.same_key = std::move(*same);
    auto tombstone = reader.tombstone(subject.record.layer, subject.record.key);
    if (!tombstone) return tl::unexpected(tombstone.error());
    c.tombstone = std::move(*tombstone);
    auto entries = reader.entries_with_key(subject.record.layer, subject.record.key);
    if (!entries) return tl::unexpected(entries.error());
    for (EntryRow& e : *entries) {
      for (const SnapshotRow& s : c.snapshots) {
        if (s.id == e.snapshot) c.entries.push_back({std::move(e), s});
      }
    }
  }
  // What this very miss led to is seen by later snapshots, and is no sign that the key was known. Times in a copy of a
  // folder need not be the entries' own.
  const auto was_there = [&](const SeenEntry& seen) {
    const Nanoseconds written = seen.entry.record.modified, asked = subject.record.time;
    return seen.snapshot.run == 0 || written == kUnknownTime || asked == kUnknownTime || written <= asked;
  };
  const bool known_key = std::any_of(c.entries.begin(), c.entries.end(), was_there) ||
                         std::any_of(c.same_key.begin(), c.same_key.end(), [&](const LookupRow& r) {
                           // One that missed in the same run may have missed at the same time, for the same cause.
                           if (r.run == subject.run && r.process != subject.process && looked_up_in_vain(r))
                             return false;
                           return r.process != subject.process || !(r.record.compile == subject.record.compile);
                         });
  if (subject.component_set == 0 || (known_key && !against)) return {};
  auto candidates = reader.baseline_candidates(subject, kCandidates);
  if (!candidates) return tl::unexpected(candidates.error());
  if (against) {
    auto chosen = reader.lookup(*against);
    if (!chosen) return tl::unexpected(chosen.error());
    if (!*chosen) return fail(ErrorKind::not_found, "no lookup " + std::to_string(*against), "--against");
    candidates->push_back(std::move(**chosen));
  }
  bool other_run = false;
  for (LookupRow& row : *candidates) {
    const bool known =
        std::any_of(c.candidates.begin(), c.candidates.end(), [&](const LookupRow& r) { return r.id == row.id; });
    if (known || row.id == subject.id) continue;
    if (auto filled = fill(row); !filled) return filled;
    other_run |= row.run != subject.run;
    c.candidates.push_back(std::move(row));
  }
  return other_run ? Result<void>() : stored_baselines(c);
}

Result<Case> CaseLoader::Impl::load(LookupRow subject, std::optional<RowId> against, bool with_inner) {
  Case c;
  c.subject = std::move(subject);
  c.against = against;
  if (auto filled = fill(c.subject); !filled) return tl::unexpected(filled.error());
  c.texts = [this](const LookupRow& row, TextKind kind) { return texts_of(row, kind); };
  c.process = [this](const LookupRow& row) { return process_of(row); };
  c.failure = [this](const LookupRow& row) {
    auto compile = reader.compile(row.process, row.record.compile);
    return compile && *compile ? (*compile)->record.fail_reason : std::string();
  };
  c.compile_of = [this](const LookupRow& row) {
    auto rows = reader.lookups_of_compile(row.process, row.record.compile);
    return rows ? std::move(*rows) : std::vector<LookupRow>{};
  };
  if (c.subject.record.compile.known()) {
    auto rows = reader.lookups_of_compile(c.subject.process, c.subject.record.compile);
    if (!rows) return tl::unexpected(rows.error());
    c.compile = std::move(*rows);
    auto row = reader.compile(c.subject.process, c.subject.record.compile);
    if (!row) return tl::unexpected(row.error());
    c.compile_row = std::move(*row);
  } else {
    c.compile.push_back(c.subject);
    c.compile.front().record.components.clear();
  }
  if (!looked_up_in_vain(c.subject)) return c;
  c.compiled_without_cache = [this, subject = c.subject] { return compiled_without_cache(subject); };
  c.same_compile_before = [this, subject = c.subject] { return same_compile_before(subject); };

  auto symbols = reader.symbols(c.subject.process, c.subject.record.compile);
  if (!symbols) return tl::unexpected(symbols.error());
  c.symbols = std::move(*symbols);
  if (!snapshots) {
    auto all = reader.snapshots();
    if (!all) return tl::unexpected(all.error());
    snapshots = std::move(*all);
  }
  c.snapshots = *snapshots;
  if (auto loaded = history(c, against); !loaded) return tl::unexpected(loaded.error());
  const bool remote = c.subject.record.layer == Layer::remote;
  const bool outer = remote || (c.subject.record.layer == Layer::aot_autograd &&
                                (c.subject.component_set == 0 || c.subject.record.status == "hit"));
  if (with_inner && outer) {
    for (const LookupRow& row : c.compile) {
      if (row.record.layer != Layer::fx_graph) continue;
      if (remote && row.record.key != c.subject.record.key) continue;  // the folder was asked for the same key before
      auto inner = load(row, std::nullopt, false);
      if (!inner) return tl::unexpected(inner.error());
      if (inner->same_key.empty() && inner->subject.record.outcome == Outcome::hit) {
        auto same = reader.lookups_with_key(row.record.layer, row.record.key, row.id, kSameKey);
        if (same) inner->same_key = std::move(*same);
      }
      c.inner.push_back(std::move(*inner));
    }
  }
  return c;
}

CaseLoader::CaseLoader(Reader& reader, ComponentPool& pool) : impl_(new Impl{reader, pool, {}, {}, {}, {}}) {}
CaseLoader::~CaseLoader() = default;

Result<Case> CaseLoader::load(RowId lookup, std::optional<RowId> against) {
  auto row = impl_->reader.lookup(lookup);
  if (!row) return tl::unexpected(row.error());
  if (!*row) return fail(ErrorKind::not_found, "no lookup " + std::to_string(lookup));
  return impl_->load(std::move(**row), against, true);
}

Result<Told> CaseLoader::tell(RowId lookup, std::optional<RowId> against) {
  auto c = load(lookup, against);
  if (!c) return tl::unexpected(c.error());
  Told told;
  told.explanation = explain(*c);
  told.lookup = std::move(c->subject);
  told.lookup.record.components.clear();
  return told;
}

Result<std::vector<Told>> CaseLoader::tell_run(RowId run) {
  auto rows = impl_->reader.lookups_of_run(run);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Told> out;
  out.reserve(rows->size());
  for (LookupRow& row : *rows) {
    auto c = impl_->load(std::move(row), std::nullopt, true);
    if (!c) return tl::unexpected(c.error());
    Told told;
    told.explanation = explain(*c);
    told.lookup = std::move(c->subject);
    told.lookup.record.components.clear();
    out.push_back(std::move(told));
  }
  return out;
}

Result<std::vector<LookupRow>> CaseLoader::with_components(RowId run) {
  auto rows = impl_->reader.lookups_of_run(run);
  if (!rows) return tl::unexpected(rows.error());
  for (LookupRow& row : *rows) {
    if (auto filled = impl_->fill(row); !filled) return tl::unexpected(filled.error());
  }
  return rows;
}

}  // namespace keyhole
