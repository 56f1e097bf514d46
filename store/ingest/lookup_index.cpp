// SPDX-License-Identifier: Apache-2.0
#include "lookup_index.h"

#include <fmt/format.h>

#include <algorithm>

namespace keyhole {
namespace {

constexpr Nanoseconds kNear = 60'000'000'000;

std::string name_of_lookup(Layer layer, std::string_view key, std::int64_t ordinal) {
  return fmt::format("{}/{}/{}", static_cast<int>(layer), key, ordinal);
}

void widen(KnownProcess& process, Nanoseconds time) {
  if (time == kUnknownTime) return;
  if (process.first == kUnknownTime || time < process.first) process.first = time;
  process.last = std::max(process.last, time);
}

}  // namespace

const KnownLookup* KnownProcess::find(Layer layer, std::string_view key, std::int64_t ordinal) const {
  const auto at = by_key.find(name_of_lookup(layer, key, ordinal));
  return at == by_key.end() ? nullptr : &lookups[at->second];
}

const KnownProcess* LookupIndex::match(std::int64_t pid, std::optional<int> rank, Nanoseconds time,
                                       const std::string& folder) const {
  for (const bool same_folder : {true, false}) {
    const KnownProcess* found = nullptr;
    int count = 0;
    for (const auto& [id, process] : processes_) {
      if ((pid >= 0 ? process.record.pid != pid : !same_folder) || (same_folder && process.folder != folder)) continue;
      if (rank && process.record.rank && *rank != *process.record.rank) continue;
      const bool timed = time != kUnknownTime && process.first != kUnknownTime;
      if (timed && (time < process.first - kNear || time > process.last + kNear)) continue;
      found = &process;
      ++count;
    }
    if (count > 0) return count == 1 ? found : nullptr;
  }
  return nullptr;
}

RecordSink::ProcessId LookupIndex::process(const ProcessRecord& record) {
  const ProcessId id = sink_.process(record);
  const auto [at, fresh] = processes_.try_emplace(id);
  KnownProcess& known = at->second;
  if (fresh) {
    known.record = record;
    known.id = id;
    known.folder = folder_;
  }
  if (record.rank) known.record.rank = record.rank;
  widen(known, record.start);
  return id;
}

void LookupIndex::compile(ProcessId process, const CompileRecord& record) {
  widen(processes_[process], record.start);
  sink_.compile(process, record);
}

void LookupIndex::lookup(ProcessId process, const LookupRecord& record) {
  KnownProcess& known = processes_[process];
  widen(known, record.time);
  if (!record.key.empty()) {
    const auto [at, fresh] =
        known.by_key.try_emplace(name_of_lookup(record.layer, record.key, record.ordinal), known.lookups.size());
    if (fresh) {
      known.lookups.push_back({record.layer, record.outcome, record.compile, record.key, record.ordinal, record.time});
    }
  }
  sink_.lookup(process, record);
}

}  // namespace keyhole
