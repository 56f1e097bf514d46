// SPDX-License-Identifier: Apache-2.0
// AOTAutograd leaves the components of its key out of a trace: its lookup is told by those within its compile, and
// where they tell nothing by the texts that two compiles recorded.
#include <algorithm>

#include "bypass.h"
#include "comparison.h"
#include "evidence.h"
#include "same_key.h"
#include "words.h"

namespace keyhole::explain_detail {
namespace {

/// What differs between two compiles before Inductor gets the graph, told by their texts; no component: nothing seen.
Cause cause_outside_inductor(Evidence& evidence) {
  Cause cause;
  const auto& graph = evidence.user_graph();
  if (graph && (!graph->same || graph->renamed_in_order)) {
    cause.component = "gm";
    cause.before = shorten(graph->before, 200);
    cause.after = shorten(graph->after, 200);
    cause.cause_class = graph->moved_only || graph->renamed_in_order ? "order" : "graph";
    cause.note = graph->names_only ? std::string(kNamesOnly) : std::string("read from the graphs that Dynamo captured");
  } else if (!evidence.functorch().empty()) {
    const auto& f = evidence.functorch().front();
    cause = {"autograd_config",
             f.name + "=" + f.before,
             f.name + "=" + f.after,
             Role::root,
             "config",
             Certainty::inferred,
             "read from torch._functorch.config of both compiles"};
  } else if (const auto [before, after] = evidence.precompile(); before || after) {
    const auto text = [](bool on) { return on ? std::string("True") : std::string("False"); };
    cause.component = "aot_config";
    if (before != after) {
      cause.before = "caching_precompile=" + text(before);
      cause.after = "caching_precompile=" + text(after);
    }
    cause.cause_class = before && after ? "instability:uuid" : "config";
    cause.note = kPrecompile;
  } else {
    for (const auto& m : evidence.modes()) {
      const char* component = m.name == "grad_mode"        ? "grad_enabled"
                              : m.name == "autocast_state" ? "autocast_state"
                                                           : nullptr;
      if (component == nullptr) continue;
      cause = {component,
               m.before,
               m.after,
               Role::root,
               m.name == "grad_mode" ? "grad_mode" : "config",
               Certainty::inferred,
               "read from Dynamo's guards of both compiles"};
    }
  }
  return cause;
}

}  // namespace

void explain_by_inner(const Case& c, Explanation& e) {
  e.verdict = Verdict::components_not_recorded;
  const Case* best = nullptr;
  Comparison found;
  bool unseen = !c.inner.empty();
  const LookupRow* served = nullptr;
  for (const Case& inner : c.inner) {
    if (!is_miss(inner.subject)) {
      if (inner.subject.record.outcome == Outcome::hit && served == nullptr) served = &inner.subject;
      unseen = false;
      continue;
    }
    if (fate_of_key(inner)) {
      unseen = false;
      continue;
    }
    if (inner.subject.record.components.empty()) {
      unseen = false;
      continue;
    }
    Comparison next = compare_with_baseline(inner);
    if (next.verdict != Verdict::never_seen) unseen = false;
    if (next.verdict == Verdict::key_differs && best == nullptr) {
      best = &inner;
      found = std::move(next);
    }
  }
  if (best != nullptr) {
    const Baseline b = found.ranked.front();
    put_candidates(found.ranked, e);
    const LookupRow* outer = nullptr;
    std::vector<LookupRow> beside;
    if (c.compile_of) beside = c.compile_of(*b.row);
    for (const LookupRow& r : beside) {
      if (r.record.layer != c.subject.record.layer) continue;
      if (r.record.layer != Layer::remote || r.record.key == b.row->record.key) outer = &r;
    }
    const bool remote = c.subject.record.layer == Layer::remote;
    put_baseline(outer != nullptr ? *outer : *b.row, b.score,
                 b.reason + (remote ? " of the fx_graph lookup" : " of the inner fx_graph lookup"), e);
    e.summary = remote ? "by the fx_graph lookup of this key: " : "by the inner fx_graph: ";
    e.summary += tell_causes(found.causes, kSummaryLimit - characters(e.summary));
    e.causes = std::move(found.causes.causes);
    for (Cause& cause : e.causes)
      cause.note += (cause.note.empty() ? "" : "; ") + std::string("seen in the fx_graph lookup of the same compile");
    e.fix = fix_of_causes(e.causes);
    return;
  }
  if (unseen) {
    e.verdict = Verdict::never_seen;
    e.summary = "no lookup of a comparable graph is on record (judged by the fx_graph lookups within)";
    e.fix = fix_of_verdict(e.verdict);
    return;
  }
  if (c.subject.record.layer == Layer::remote) {
    e.summary = "the remote lookup recorded no components; the fx_graph lookup of the same key tells the cause";
    return;
  }
  e.fix = fix_of_verdict(Verdict::components_not_recorded);
  if (c.inner.empty() && c.compile_row && c.compile_row->record.fail_reason.rfind("started over", 0) == 0) {
    e.summary = shorten("Dynamo gave this attempt up before the graph reached Inductor, and " +
                            normalise_reason(c.compile_row->record.fail_reason) +
                            "; the lookup of the next attempt tells the cause",
                        kSummaryLimit);
    e.fix = "nothing to do here: see the lookup of the next attempt";
    return;
  }
  if (served == nullptr) {
    if (const auto before = c.same_compile_before ? c.same_compile_before() : std::nullopt) {
      Evidence evidence(c, *before);
      if (Cause cause = cause_outside_inductor(evidence); !cause.component.empty()) {
        put_baseline(*before, 0.5, "same compile id, same function", e);
        e.summary = shorten("the lookup recorded no components; by what the compiles recorded: " + cause.component +
                                " `" + cause.before + "` → `" + cause.after + "`",
                            kSummaryLimit);
        e.fix = fix_of_cause(cause);
        e.causes.push_back(std::move(cause));
        return;
      }
    }
    const std::string failed = c.compile_row ? normalise_reason(c.compile_row->record.fail_reason) : std::string();
    e.summary = shorten("the lookup recorded no components, and no inner lookup tells what changed" +
                            (failed.empty() ? "" : "; its compile failed: " + failed),
                        kSummaryLimit);
    if (!failed.empty()) e.fix = "let the compile end well: what failed stores nothing, so it misses each time";
    return;
  }
  for (const Case& inner : c.inner) {
    if (inner.subject.id != served->id) continue;
    const auto beside = std::find_if(inner.same_key.begin(), inner.same_key.end(), [&](const LookupRow& r) {
      return r.run == c.subject.run && r.process != c.subject.process && is_miss(r);
    });
    if (beside == inner.same_key.end()) continue;
    e.summary = "the inner fx_graph was served by what " +
                (beside->rank ? "rank " + std::to_string(*beside->rank) : std::string("another process")) +
                " of the same run had compiled a moment before: that lookup tells the cause";
    e.fix = fix_of_verdict(Verdict::race);
    put_baseline(*beside, 1, "the same inner graph", e);
    return;
  }
  // The inner graph was served, so what differs is of AOTAutograd alone; texts of an earlier compile of it may tell.
  e.summary =
      "the inner fx_graph was a hit: only what AOTAutograd's key holds beyond it differs (names in the program, "
      "sources of inputs, grad mode, its configuration)";
  for (const Case& inner : c.inner) {
    if (inner.subject.id != served->id) continue;
    const auto before = std::find_if(inner.same_key.begin(), inner.same_key.end(),
                                     [&](const LookupRow& r) { return r.process != c.subject.process; });
    if (before == inner.same_key.end()) continue;
    Evidence evidence(c, *before);
    Cause cause = cause_outside_inductor(evidence);
    if (cause.component.empty()) continue;
    put_baseline(*before, 1, "the same inner graph", e);
    const bool change = !cause.before.empty() || !cause.after.empty();
    e.summary = shorten("the inner fx_graph was a hit; " +
                            (!change ? cause.note
                                     : (cause.component == "gm" ? "in the program: " : "what differs: ") +
                                           cause.component + " `" + cause.before + "` → `" + cause.after + "`"),
                        kSummaryLimit);
    e.fix = fix_of_cause(cause);
    e.causes.push_back(std::move(cause));
    break;
  }
}

}  // namespace keyhole::explain_detail
