// SPDX-License-Identifier: Apache-2.0
// The rules, in the order in which they are applied:
//   1. The number or the order of the inputs changed: the graph is the root, inputs and what indexes them follow.
//   2. Inputs changed in place: they are roots; the graph follows where only sizes, dtypes or views in it differ, or
//      where Dynamo captured the same graph in both compiles.
//   3. The environment changed (configuration, modes, versions …): those are roots; the graph follows unless Dynamo
//      captured another one.
//   4. Else the graph itself is the root.
// A component that is computed from another one (a thread count from cpp.threads, hash from system_info) follows it.
#include "causes.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <tuple>

#include "cause_finder.h"
#include "words.h"

namespace keyhole::explain_detail {
namespace {

std::size_t count_inputs(const std::vector<ComponentPtr>& set, std::vector<Digest>* digests) {
  std::size_t n = 0;
  for (const ComponentPtr c : set) {
    if (c->name.rfind("example_inputs[", 0) != 0) continue;
    ++n;
    if (digests != nullptr) digests->push_back(c->digest);
  }
  return n;
}

InputCounts inputs_of(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes) {
  InputCounts in;
  std::vector<Digest> x;
  std::vector<Digest> y;
  in.before = count_inputs(baseline.record.components, &x);
  in.after = count_inputs(c.subject.record.components, &y);
  const bool changed =
      std::any_of(changes.begin(), changes.end(), [](const Change& d) { return d.attr() == "example_inputs"; });
  if (changed && x.size() == y.size()) {
    std::sort(x.begin(), x.end());
    std::sort(y.begin(), y.end());
    in.reordered = x == y;
  }
  return in;
}

}  // namespace

bool names_environment(const CauseItem& i) {
  const std::string_view attr = i.change.attr();
  return attr != "gm" && attr != "example_inputs" && attr != "aot_config";
}

bool may_change_graph(const CauseItem& i) {
  const std::string& cls = i.narrowed.cause_class;
  const std::string_view attr = i.change.attr();
  return cls == "default_dtype" || cls == "version" || cls == "custom_pass" || cls == "determinism" ||
         cls == "grad_mode" || cls == "device" || cls == "requires_grad" || attr == "inductor_config" ||
         attr == "autograd_config" || attr == "fx_kwargs" || attr == "autocast_state" ||
         attr == "region_activation_memory_budget";
}

CauseFinder::CauseFinder(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes,
                         Evidence& evidence)
    : case_(c), baseline_(baseline), evidence_(evidence), inputs_(inputs_of(c, baseline, changes)) {
  for (const Change& change : changes) {
    CauseItem item;
    item.change = change;
    item.narrowed = narrow(change, &sizes_);
    items_.push_back(std::move(item));
  }
}

Causes CauseFinder::run() {
  environment();
  tell_unstable();
  graph_and_inputs();
  return collect();
}

CauseItem* CauseFinder::find(std::string_view name) {
  for (CauseItem& i : items_) {
    if (i.change.name() == name) return &i;
  }
  return nullptr;
}

CauseItem* CauseFinder::find_attr(std::string_view attr) {
  for (CauseItem& i : items_) {
    if (i.change.attr() == attr) return &i;
  }
  return nullptr;
}

void CauseFinder::environment() {
  const bool upgrade = find("torch_version") != nullptr;
  const bool other_flags = std::any_of(items_.begin(), items_.end(), [](const CauseItem& i) {
    return i.change.attr() == "inductor_config" && (i.change.before == nullptr || i.change.after == nullptr);
  });
  for (CauseItem& i : items_) {
    const std::string_view attr = i.change.attr();
    const std::string_view index = i.change.index();
    const bool one_side = i.change.before == nullptr || i.change.after == nullptr;
    if (attr == "torch_version") {
      i.rank = 0;
    } else if (attr == "system_info") {
      i.rank = 1;
      if (index == "hash" && (find("system_info[device]") != nullptr || find("system_info[version]") != nullptr))
        i.role = Role::consequence;
    } else if (attr == "default_dtype") {
      i.rank = 2;
    } else if (attr == "cpp_runtime_thread_count") {
      i.rank = 4;
      // It is in the key only where Inductor may generate CPU code with a thread count of its own choice.
      if (one_side && items_.size() > 1) i.role = Role::consequence;
    } else if (attr == "fx_kwargs") {
      i.rank = 3;
      if (index == "is_inference") {
        tell_training(i);
      } else if (index == "static_input_idxs" || index == "boxed_forward_device_index" || index == "is_backward") {
        if (items_.size() > 1) i.role = Role::consequence;
      } else {
        for (const CauseItem& o : items_) {
          const std::string_view option = o.change.attr() == "inductor_config" ? o.change.index() : std::string_view();
          if (option.size() >= index.size() && option.substr(option.size() - index.size()) == index)
            i.role = Role::consequence;
        }
      }
    } else if (attr == "inductor_config" || attr == "inductor_config_comms") {
      i.rank = index == "deterministic" ? 4 : 5;
      // torch.use_deterministic_algorithms sets it.
      if (index == "deterministic" && find_attr("deterministic_algorithms_settings") != nullptr)
        i.role = Role::consequence;
      // A new version brings new flags and new defaults.
      if (upgrade && (one_side || other_flags)) i.role = Role::consequence;
      if (set_by_another(index)) i.role = Role::consequence;
    } else if (i.narrowed.cause_class == "determinism") {
      i.rank = 3;
    } else if (attr == "autograd_config") {
      i.rank = 5;
      tell_functorch(i);
    } else if (names_environment(i)) {
      i.rank = 5;
      if (one_side && upgrade) i.role = Role::consequence;
    }
  }
}

/// Flags that Inductor sets itself where another one is on (get_cpp_wrapper_config of torch/_inductor/compile_fx.py).
bool CauseFinder::set_by_another(std::string_view flag) {
  if (find("inductor_config[cpp_wrapper]") == nullptr) return false;
  return flag == "triton.autotune_at_compile_time" || flag == "triton.autotune_cublasLt" ||
         flag == "triton.store_cubin";
}

void CauseFinder::tell_training(CauseItem& i) {
  for (const auto& mode : evidence_.modes()) {
    if (mode.name == "grad_mode") {
      i.narrowed.cause_class = "grad_mode";
      i.note = "grad mode " + mode.before + " → " + mode.after;
      return;
    }
  }
  if (!evidence_.requires_grad().empty()) {
    const auto& g = evidence_.requires_grad().front();
    i.narrowed.cause_class = "requires_grad";
    i.note = g.name + " requires_grad " + g.before + " → " + g.after;
  }
}

void CauseFinder::tell_functorch(CauseItem& i) {
  const auto& flags = evidence_.functorch();
  if (flags.empty()) {
    i.note = "a flag of torch._functorch.config; which one is not shown";
    return;
  }
  std::string before;
  std::string after;
  for (const auto& f : flags) {
    if (before.size() > 80) break;
    before += (before.empty() ? "" : ", ") + f.name + "=" + f.before;
    after += (after.empty() ? "" : ", ") + f.name + "=" + f.after;
  }
  i.narrowed.before = std::move(before);
  i.narrowed.after = std::move(after);
  i.note = "read from torch._functorch.config of both compiles";
}

void CauseFinder::tell_unstable() {
  Circumstances where;
  const auto pid = [&](const LookupRow& row) {
    const auto process = case_.process ? case_.process(row) : std::nullopt;
    return process ? process->record.pid : -1;
  };
  where.pid_before = pid(baseline_);
  where.pid_after = pid(case_.subject);
  where.rank_before = baseline_.rank.value_or(-1);
  where.rank_after = case_.subject.rank.value_or(-1);
  for (CauseItem& i : items_) {
    if (!names_environment(i) || i.change.before == nullptr || i.change.after == nullptr ||
        i.change.attr() == "fx_kwargs")
      continue;
    std::string_view kind = instability(i.change.name(), i.change.before->text, i.change.after->text, where);
    const std::size_t runs = distinct_runs(i);
    if (kind.empty() && runs > 2 && reordered_words(i.change.before->text, i.change.after->text)) kind = "order";
    // A form that tells nothing, but no run ever came back to a value, while the graph stayed the same.
    if (kind.empty() && runs > 2 && free_text(i) && find("gm") == nullptr && looks_made_up(i)) kind = "uuid";
    if (kind.empty()) {
      if (runs > 2) i.note = std::string(kEachRun) + std::to_string(runs) + " runs";
      continue;
    }
    const char opens = i.change.after->text.empty() ? ' ' : i.change.after->text.front();
    if (kind == "order" && opens != '{' && opens != 'f' && runs <= 2) {
      i.narrowed.cause_class = "order";
      continue;
    }
    i.narrowed.cause_class = "instability:" + std::string(kind);
    if (runs > 2) i.note = std::string(kEachRun) + std::to_string(runs) + " runs";
  }
}

/// A component whose text the user or a program chose freely; a flag or a number of threads is none.
bool CauseFinder::free_text(const CauseItem& item) {
  const std::string_view attr = item.change.attr();
  const std::string& cls = item.narrowed.cause_class;
  return attr != "cpp_runtime_thread_count" && attr != "torch_version" &&
         (cls == "tag" || cls == "custom_pass" || cls == "config" || cls == "env" || cls == "kernel_source");
}

/// Random digits: of the words that differ one has six or more letters and digits, a digit among them, and is another
/// one from its first half on. A round number is a setting, and so is one of a series.
bool CauseFinder::looks_made_up(const CauseItem& item) {
  constexpr std::size_t kShort = 6;
  const auto words = [](std::string_view text) {
    std::vector<std::string_view> out;
    for (std::size_t at = 0; at < text.size();) {
      std::size_t end = at;
      while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) != 0) ++end;
      if (end > at) out.push_back(text.substr(at, end - at));
      at = end + 1;
    }
    return out;
  };
  const auto before = words(item.change.before->text);
  const auto after = words(item.change.after->text);
  if (before.size() != after.size()) return false;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const std::string_view a = before[i];
    const std::string_view b = after[i];
    std::size_t alike = 0;
    while (alike < a.size() && alike < b.size() && a[alike] == b[alike]) ++alike;
    const auto made_up = [&](std::string_view word) {
      return word.size() >= kShort && word.find_first_of("0123456789") != std::string_view::npos &&
             alike < word.size() / 2 && word.substr(word.size() - 2) != "00";
    };
    if (a != b && made_up(a) && made_up(b)) return true;
  }
  return false;
}

std::size_t CauseFinder::distinct_runs(const CauseItem& item) const {
  std::map<std::int64_t, Digest> seen{{case_.subject.run, item.change.after->digest}};
  const auto gm_of = [](const LookupRow& row) {
    for (const ComponentPtr c : row.record.components) {
      if (c->name == "gm") return c->digest;
    }
    return Digest{};
  };
  const Digest graph = gm_of(case_.subject);
  for (const LookupRow& row : case_.candidates) {
    if (row.run == case_.subject.run || !(gm_of(row) == graph)) continue;
    for (const ComponentPtr c : row.record.components) {
      if (c->name == item.change.name()) seen[row.run] = c->digest;
    }
  }
  for (auto a = seen.begin(); a != seen.end(); ++a) {
    for (auto b = std::next(a); b != seen.end(); ++b) {
      if (a->second == b->second) return 0;
    }
  }
  return seen.size();
}

Causes CauseFinder::collect() {
  std::stable_sort(items_.begin(), items_.end(), [](const CauseItem& a, const CauseItem& b) {
    return a.role != b.role ? a.role < b.role : a.rank < b.rank;
  });
  Causes out;
  out.graph_story = story_;
  out.graph_program = program_;
  out.graph_counts = counts_;
  out.inputs_before = inputs_.before;
  out.inputs_after = inputs_.symbolic ? inputs_.before : inputs_.after;
  const bool no_root =
      std::none_of(items_.begin(), items_.end(), [](const CauseItem& i) { return i.role == Role::root; });
  if (no_root && !items_.empty()) items_.front().role = Role::root;
  for (CauseItem& i : items_) {
    Cause cause;
    cause.component = i.change.name();
    std::tie(cause.before, cause.after) = in_sight(i.narrowed.before, i.narrowed.after, 200);
    cause.role = i.role;
    cause.cause_class = i.narrowed.cause_class;
    cause.note = i.note;
    out.aspects.push_back(i.narrowed.aspect);
    out.causes.push_back(std::move(cause));
  }
  return out;
}

Causes find_causes(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes, Evidence& evidence) {
  return CauseFinder(c, baseline, changes, evidence).run();
}

}  // namespace keyhole::explain_detail
