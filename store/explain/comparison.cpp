// SPDX-License-Identifier: Apache-2.0
#include "comparison.h"

#include "causes_compile.h"
#include "change.h"
#include "evidence.h"
#include "proof.h"

namespace keyhole::explain_detail {
namespace {

constexpr std::size_t kRunnersUp = 5;

std::string version_of(const Case& c, const LookupRow& row) {
  const auto process = c.process ? c.process(row) : std::nullopt;
  if (!process) return {};
  const std::string& json = process->record.versions_json;
  for (const std::string_view name : {"\"pytorch_version\"", "\"torch\""}) {
    const std::size_t at = json.find(name);
    const std::size_t open = at == std::string::npos ? at : json.find('"', at + name.size());
    const std::size_t close = open == std::string::npos ? open : json.find('"', open + 1);
    if (close != std::string::npos) return json.substr(open + 1, close - open - 1);
  }
  return {};
}

void tell_versions(const Case& c, const LookupRow& baseline, Causes& causes) {
  for (Cause& cause : causes.causes) {
    if (cause.component != "torch_version") continue;
    const std::string before = version_of(c, baseline);
    const std::string after = version_of(c, c.subject);
    if (before.empty() || after.empty()) {
      cause.note = "a digest of PyTorch's sources; the version is not recorded";
    } else if (before == after) {
      cause.note = "both call themselves " + after + ": another build, or edited sources";
    } else {
      cause.before = before;
      cause.after = after;
      cause.note = "versions of the processes; the key holds a digest of PyTorch's sources";
    }
  }
}

}  // namespace

bool is_miss(const LookupRow& row) {
  return row.record.outcome == Outcome::miss || row.record.outcome == Outcome::guard_miss ||
         row.record.outcome == Outcome::error;
}

Comparison compare_with_baseline(const Case& c) {
  Comparison out;
  out.ranked = rank_baselines(c);
  if (out.ranked.empty() || !out.ranked.front().comparable) {
    out.verdict = Verdict::never_seen;
    return out;
  }
  const LookupRow& baseline = *out.ranked.front().row;
  const std::vector<Change> changes = differences(baseline.record.components, c.subject.record.components);
  if (changes.empty()) {
    out.verdict = Verdict::identity_only;
    return out;
  }
  if (is_compile_layer(c.subject)) {
    out.causes = find_compile_causes(baseline, c.subject, changes);
  } else {
    Evidence evidence(c, baseline);
    out.causes = find_causes(c, baseline, changes, evidence);
    tell_versions(c, baseline, out.causes);
  }
  if (proven(baseline, c.subject, changes)) {
    for (Cause& cause : out.causes.causes) cause.certainty = Certainty::proven;
  }
  out.verdict = Verdict::key_differs;
  return out;
}

void put_candidates(const std::vector<Baseline>& ranked, Explanation& e) {
  for (const Baseline& b : ranked) {
    if (e.candidates.size() >= kRunnersUp) break;
    e.candidates.push_back({b.row->id, b.score, b.reason});
  }
}

void put_baseline(const LookupRow& row, double score, std::string reason, Explanation& e) {
  e.baseline = row;
  e.baseline->record.components.clear();
  e.baseline_score = score;
  e.baseline_reason = std::move(reason);
}

}  // namespace keyhole::explain_detail
