// SPDX-License-Identifier: Apache-2.0
#include "baseline.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "causes_compile.h"
#include "change.h"
#include "graph_text.h"

namespace keyhole::explain_detail {
namespace {

// Weights of the score. Graph identity outweighs all else together: a forward graph differs from its own backward in 6
// components, a real upgrade of PyTorch in 40.
constexpr double kGraph = 0.60, kFunction = 0.13, kCompileId = 0.07, kInputs = 0.11, kEnvironment = 0.086,
                 kRecency = 0.004;
// Graphs are compared line by line for so many candidates that look best without it; each costs about 1 ms for 100 KB.
constexpr std::size_t kReadGraphs = 12;
// Of a longer graph the beginning decides.
constexpr std::size_t kGraphBytes = 256 * 1024;

/// Of compiles: how the sources' paths stand to each other.
enum class Source : std::uint8_t { none, other, moved, same };

struct Entry {
  const LookupRow* row = nullptr;
  ComponentPtr gm = nullptr;
  double graph = 0, function = 0, inputs = 0, environment = 0;
  double program = 0;  ///< how alike the graphs are that Dynamo captured; compared only where nothing else fits
  bool same_graph = false, same_id = false;
  Source source = Source::none;
  bool named = false;  ///< the function's name is not one that many models' functions have
  [[nodiscard]] double score() const {
    return kGraph * graph + kFunction * function + kCompileId * (same_id ? 1 : 0) + kInputs * inputs +
           kEnvironment * environment;
  }
};

ComponentPtr find(const std::vector<ComponentPtr>& set, std::string_view name) {
  for (const ComponentPtr c : set) {
    if (c->name == name) return c;
  }
  return nullptr;
}

bool of_a_library(std::string_view filename) {
  return filename.find("site-packages") != std::string_view::npos ||
         filename.find("/torch/") != std::string_view::npos || filename.empty() || filename.front() == '<';
}

std::string_view base_name(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);
}

/// Whether a function's name tells it from those of other models in the same file.
bool names_one(std::string_view function) {
  for (const std::string_view common : {"forward", "__call__", "_call_impl", "_wrapped_call_impl", "<lambda>", "inner",
                                        "wrapper", "_fn", "fn", "func", "f", "main"}) {
    if (function == common) return false;
  }
  return true;
}

/// "torch_dynamo_resume_in_f_at_6", the rest of f behind a graph break, without the line: an edit above moves it.
std::string_view without_line(std::string_view function) {
  if (function.substr(0, 20) != "torch_dynamo_resume_") return function;
  const std::size_t at = function.rfind("_at_");
  return at != std::string_view::npos && function.find_first_not_of("0123456789", at + 4) == std::string_view::npos
             ? function.substr(0, at)
             : function;
}

/// 1: the same function; 0: another one; between: cannot be told. A function of a library (Sequential.forward) is that
/// of many models, unless its name tells it apart (SGD.step).
double same_function(const LookupRow& a, const LookupRow& b) {
  if (a.function.empty() || b.function.empty()) return 0.5;
  if (without_line(a.function) != without_line(b.function) || base_name(a.filename) != base_name(b.filename)) return 0;
  if (of_a_library(a.filename)) return names_one(a.function) && a.line == b.line ? 0.85 : 0.5;
  return a.line == b.line && a.function == b.function
             ? 1
             : 0.85;  // the file was edited above it, or it is a method of another class
}

/// A compile that started over, or came after a reset, keeps its id.
bool same_id(CompileId a, CompileId b) {
  a.attempt = b.attempt = 0;
  return a.known() && a == b;
}

double similarity_of(ComponentPtr a, ComponentPtr b) {
  if (a == nullptr || b == nullptr) return a == b ? 1 : 0;
  if (a->digest == b->digest) return 1;
  return 0.95 * similarity(read_graph(std::string_view(a->text).substr(0, kGraphBytes)),
                           read_graph(std::string_view(b->text).substr(0, kGraphBytes)));
}

void compare_components(const LookupRow& subject, Entry& e) {
  std::size_t inputs = 0;
  std::size_t changed_inputs = 0;
  for (const ComponentPtr c : subject.record.components) inputs += c->name.rfind("example_inputs[", 0) == 0 ? 1 : 0;
  std::size_t groups =
      0;  // what differs of the environment; flags are set together and count as one, and a little each
  std::size_t flags = 0;
  for (const Change& d : differences(e.row->record.components, subject.record.components)) {
    const std::string_view attr = d.attr();
    if (attr == "example_inputs") {
      ++changed_inputs;
      if (d.before == nullptr) --inputs;  // counted below as a missing one
      ++inputs;
    } else if (attr == "gm") {
      continue;
    } else if (attr == "inductor_config" || attr == "inductor_config_comms") {
      ++flags;
    } else {
      ++groups;
    }
  }
  e.inputs = inputs == 0 ? 1 : 1 - static_cast<double>(std::min(changed_inputs, inputs)) / static_cast<double>(inputs);
  e.environment = 1 / (1 + 0.5 * static_cast<double>(groups + (flags > 0 ? 1 : 0)) + 0.1 * static_cast<double>(flags));
}

bool comparable(const Entry& e) {
  if (e.program > 0) return true;
  if (e.source != Source::none) return e.source != Source::other;
  if (e.same_graph) return true;
  if (e.same_id && (e.function == 1 || (e.function >= 0.85 && e.named))) return true;  // rewritten, however much
  if (e.function >= 0.85) return e.graph >= (e.same_id ? 0.12 : 0.25);
  if (e.function >= 0.5) return e.graph >= (e.same_id ? 0.45 : 0.55);
  return e.graph >= 0.65;
}

/// The program as Dynamo captured it; empty: not recorded, or of several graphs.
std::string program_of(const Case& c, const LookupRow& row) {
  if (!c.texts || row.id <= 0) return {};
  const auto texts = c.texts(row, TextKind::dynamo_graph);
  return texts.size() == 1 ? texts.front().text : std::string();
}

/// A decomposition into other operations leaves little of a graph alike (a batch norm that no longer trains): then the
/// program tells.
void compare_programs(const Case& c, std::vector<Entry>& entries) {
  constexpr double kAlike = 0.5;
  std::string mine;
  std::size_t read = 0;
  for (Entry& e : entries) {
    if (!e.same_id || e.function < 0.5 || e.source != Source::none) continue;
    if (mine.empty() && (mine = program_of(c, c.subject)).empty()) return;
    if (++read > kReadGraphs) return;
    const std::string other = program_of(c, *e.row);
    if (other.empty()) continue;
    e.program = similarity(read_graph(std::string_view(mine).substr(0, kGraphBytes)),
                           read_graph(std::string_view(other).substr(0, kGraphBytes)));
    if (e.program < kAlike) e.program = 0;
  }
}

std::string reason_of(const Entry& e) {
  if (e.source != Source::none)
    return e.source == Source::same    ? "same source"
           : e.source == Source::moved ? "a source of the same name in another folder"
                                       : "another source";
  std::string out;
  const auto add = [&](std::string_view s) { out += (out.empty() ? "" : ", ") + std::string(s); };
  if (e.same_graph) {
    add("same graph");
  } else {
    add("graph " + std::to_string(static_cast<int>(std::lround(100 * e.graph))) + " % alike");
  }
  if (e.program > 0) add("program " + std::to_string(static_cast<int>(std::lround(100 * e.program))) + " % alike");
  if (e.same_id) add("same compile id");
  if (e.function >= 0.85) add("same function");
  if (e.inputs == 1) add("same inputs");
  return out;
}

}  // namespace

Direction direction_of(const LookupRow& row) {
  if (row.record.direction != Direction::unknown || row.record.layer != Layer::fx_graph) return row.record.direction;
  const ComponentPtr backward = find(row.record.components, "fx_kwargs[is_backward]");
  const ComponentPtr inference = find(row.record.components, "fx_kwargs[is_inference]");
  if (backward != nullptr && backward->text == "True") return Direction::backward;
  if (inference == nullptr) return Direction::unknown;
  return inference->text == "True" ? Direction::inference : Direction::forward;
}

std::vector<Baseline> rank_baselines(const Case& c) {
  const LookupRow& subject = c.subject;
  const ComponentPtr gm = find(subject.record.components, "gm");
  const Direction direction = direction_of(subject);
  std::vector<Entry> entries;
  for (const LookupRow& row : c.candidates) {
    if (row.record.layer != subject.record.layer || row.id == subject.id || row.record.components.empty()) continue;
    if ((direction_of(row) == Direction::backward) != (direction == Direction::backward)) continue;
    Entry e;
    e.row = &row;
    e.gm = find(row.record.components, "gm");
    e.same_graph = e.gm != nullptr && gm != nullptr && e.gm->digest == gm->digest;
    e.graph = e.same_graph || (gm == nullptr && e.gm == nullptr) ? 1 : 0;
    e.function = same_function(row, subject);
    e.named = names_one(subject.function);
    e.same_id = same_id(row.record.compile, subject.record.compile);
    if (row.process == subject.process && e.same_id) e.function = std::min(e.function, 0.5);  // begun anew, or a part
    if (const std::string_view path = source_of(subject); !path.empty()) {
      const std::string_view other = source_of(row);
      // A compile that failed ended before it told what it read.
      if (other.empty() || row.record.status == "compile_failed") continue;
      e.source = other == path ? Source::same : base_name(other) == base_name(path) ? Source::moved : Source::other;
      e.graph = e.source == Source::same ? 1 : e.source == Source::moved ? 0.6 : 0;
    }
    compare_components(subject, e);
    entries.push_back(e);
  }
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.score() > b.score(); });
  std::unordered_map<ComponentPtr, double> known;
  for (Entry& e : entries) {
    if (e.graph == 1 || e.source != Source::none) continue;
    auto found = known.find(e.gm);
    if (found == known.end() && known.size() < kReadGraphs) found = known.emplace(e.gm, similarity_of(e.gm, gm)).first;
    if (found != known.end()) {
      e.graph = found->second;
      if (direction_of(*e.row) != direction) e.graph *= 0.95;  // the same program for inference and for training
    }
  }
  // Another process of the same run tells less of what changed than the run before does, and another rank less yet.
  const auto distance = [&](const LookupRow& row) {
    const double runs = static_cast<double>(std::abs(subject.run_order - row.run_order));
    const double other = row.run == subject.run && row.process != subject.process ? 1.5 : 0;
    return runs + other + (row.rank == subject.rank ? 0 : 0.25);
  };
  const auto total = [&](const Entry& e) { return e.score() + kRecency / (1 + distance(*e.row)); };
  std::stable_sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    const double x = total(a);
    const double y = total(b);
    if (x != y) return x > y;
    return a.row->id > b.row->id;
  });
  if (std::none_of(entries.begin(), entries.end(), [](const Entry& e) { return comparable(e); }))
    compare_programs(c, entries);
  std::stable_partition(entries.begin(), entries.end(), [](const Entry& e) { return comparable(e); });
  if (c.against) {
    std::stable_partition(entries.begin(), entries.end(), [&](const Entry& e) { return e.row->id == *c.against; });
  }
  std::vector<Baseline> out;
  for (const Entry& e : entries) {
    const bool chosen = c.against && e.row->id == *c.against;
    out.push_back(
        {e.row, std::min(1.0, total(e)), chosen || comparable(e), reason_of(e) + (chosen ? ", chosen by you" : "")});
  }
  return out;
}

}  // namespace keyhole::explain_detail
