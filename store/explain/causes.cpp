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
#include <cmath>
#include <cstdlib>
#include <map>

#include "evidence.h"
#include "graph_text.h"
#include "keyhole/key/debug_line.h"

namespace keyhole::explain_detail {
namespace {

struct Item {
  Change change;
  Narrowed narrowed;
  Role role = Role::root;
  std::string note;
  int rank = 0;  ///< order among roots
};

struct Inputs {
  std::size_t before = 0, after = 0;
  bool reordered = false;
  [[nodiscard]] bool other_count() const { return before != after; }
};

std::size_t count_inputs(const std::vector<ComponentPtr>& set, std::vector<Digest>* digests) {
  std::size_t n = 0;
  for (const ComponentPtr c : set) {
    if (c->name.rfind("example_inputs[", 0) != 0) continue;
    ++n;
    if (digests != nullptr) digests->push_back(c->digest);
  }
  return n;
}

Inputs inputs_of(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes) {
  Inputs in;
  std::vector<Digest> x;
  std::vector<Digest> y;
  in.before = count_inputs(baseline.record.components, &x);
  in.after = count_inputs(c.subject.record.components, &y);
  const bool changed = std::any_of(changes.begin(), changes.end(), [](const Change& d) { return d.attr() == "example_inputs"; });
  if (changed && x.size() == y.size()) {
    std::sort(x.begin(), x.end());
    std::sort(y.begin(), y.end());
    in.reordered = x == y;
  }
  return in;
}

/// Every changed number follows from a changed size: it is one of them, or their ratio (or its root) times the old one.
bool follow_sizes(const std::vector<std::pair<std::string, std::string>>& numbers, const std::vector<std::pair<std::string, std::string>>& sizes) {
  return std::all_of(numbers.begin(), numbers.end(), [&](const auto& n) {
    if (n.first.find_first_of(".e") == std::string::npos && n.second.find_first_of(".e") == std::string::npos) return true;
    const double ratio = std::strtod(n.second.c_str(), nullptr) / std::strtod(n.first.c_str(), nullptr);
    return std::any_of(sizes.begin(), sizes.end(), [&](const auto& s) {
      const double r = std::strtod(s.second.c_str(), nullptr) / std::strtod(s.first.c_str(), nullptr);
      for (const double k : {r, 1 / r, std::sqrt(r), 1 / std::sqrt(r)}) {
        if (std::abs(ratio - k) < 1e-6 * k) return true;
      }
      return false;
    });
  });
}

/// Quoted names that differ between two printed structures: 'x' -> 'left'.
bool narrow_quoted(std::string_view a, std::string_view b, Narrowed& n) {
  const auto quoted = [](std::string_view s) {
    std::vector<std::string_view> v;
    for (std::size_t i = s.find('\''); i != std::string_view::npos; i = s.find('\'', i + 1)) {
      const std::size_t close = s.find('\'', i + 1);
      if (close == std::string_view::npos) break;
      v.push_back(s.substr(i, close - i + 1));
      i = close;
    }
    return v;
  };
  const auto x = quoted(a);
  const auto y = quoted(b);
  if (x.size() != y.size()) return false;
  std::string before;
  std::string after;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || before.size() > 60) continue;
    before += (before.empty() ? "" : ", ") + std::string(x[i]);
    after += (after.empty() ? "" : ", ") + std::string(y[i]);
  }
  if (before.empty()) return false;
  n.before = std::move(before);
  n.after = std::move(after);
  return true;
}

bool names_environment(const Item& i) {
  const std::string_view attr = i.change.attr();
  return attr != "gm" && attr != "example_inputs" && attr != "aot_config";
}

/// What may change the graph that Inductor gets although the program is the same.
bool may_change_graph(const Item& i) {
  const std::string& cls = i.narrowed.cause_class;
  const std::string_view attr = i.change.attr();
  return cls == "default_dtype" || cls == "version" || cls == "custom_pass" || cls == "determinism" || cls == "grad_mode" || cls == "device" ||
         cls == "requires_grad" || attr == "inductor_config" || attr == "autograd_config" || attr == "fx_kwargs" || attr == "autocast_state" ||
         attr == "region_activation_memory_budget";
}

class Finder {
 public:
  Finder(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes, Evidence& evidence)
      : case_(c), baseline_(baseline), evidence_(evidence), inputs_(inputs_of(c, baseline, changes)) {
    for (const Change& change : changes) {
      Item item;
      item.change = change;
      item.narrowed = narrow(change, &sizes_);
      items_.push_back(std::move(item));
    }
  }

  Causes run() {
    environment();
    tell_unstable();
    graph_and_inputs();
    return collect();
  }

 private:
  /// There the component gm is the graph that Dynamo captured.
  [[nodiscard]] bool aot_layer() const { return case_.subject.record.layer == Layer::aot_autograd; }
  Item* find(std::string_view name) {
    for (Item& i : items_) {
      if (i.change.name() == name) return &i;
    }
    return nullptr;
  }
  Item* find_attr(std::string_view attr) {
    for (Item& i : items_) {
      if (i.change.attr() == attr) return &i;
    }
    return nullptr;
  }

  void environment() {
    const bool upgrade = find("torch_version") != nullptr;
    const bool other_flags = std::any_of(items_.begin(), items_.end(), [](const Item& i) {
      return i.change.attr() == "inductor_config" && (i.change.before == nullptr || i.change.after == nullptr);
    });
    for (Item& i : items_) {
      const std::string_view attr = i.change.attr();
      const std::string_view index = i.change.index();
      const bool one_side = i.change.before == nullptr || i.change.after == nullptr;
      if (attr == "torch_version") {
        i.rank = 0;
      } else if (attr == "system_info") {
        i.rank = 1;
        if (index == "hash" && (find("system_info[device]") != nullptr || find("system_info[version]") != nullptr)) i.role = Role::consequence;
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
          for (const Item& o : items_) {
            const std::string_view option = o.change.attr() == "inductor_config" ? o.change.index() : std::string_view();
            if (option.size() >= index.size() && option.substr(option.size() - index.size()) == index) i.role = Role::consequence;
          }
        }
      } else if (attr == "inductor_config" || attr == "inductor_config_comms") {
        i.rank = index == "deterministic" ? 4 : 5;
        // A new version brings new flags and new defaults.
        if (upgrade && (one_side || other_flags)) i.role = Role::consequence;
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

  void tell_training(Item& i) {
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

  void tell_functorch(Item& i) {
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

  void tell_unstable() {
    Circumstances where;
    const auto pid = [&](const LookupRow& row) {
      const auto process = case_.process ? case_.process(row) : std::nullopt;
      return process ? process->record.pid : -1;
    };
    where.pid_before = pid(baseline_);
    where.pid_after = pid(case_.subject);
    where.rank_before = baseline_.rank.value_or(-1);
    where.rank_after = case_.subject.rank.value_or(-1);
    for (Item& i : items_) {
      if (!names_environment(i) || i.change.before == nullptr || i.change.after == nullptr || i.change.attr() == "fx_kwargs") continue;
      const std::string_view kind = instability(i.change.name(), i.change.before->text, i.change.after->text, where);
      if (kind.empty()) continue;
      const char opens = i.change.after->text.empty() ? ' ' : i.change.after->text.front();
      if (kind == "order" && opens != '{' && opens != 'f') {
        i.narrowed.cause_class = "order";
        continue;
      }
      i.narrowed.cause_class = "instability:" + std::string(kind);
      const std::size_t runs = distinct_runs(i);
      if (runs > 2) i.note = "it differed in each of " + std::to_string(runs) + " runs";
    }
  }

  /// In how many runs the component was seen, if no two runs agree on it; else 0.
  std::size_t distinct_runs(const Item& item) const {
    std::map<std::int64_t, Digest> seen{{case_.subject.run, item.change.after->digest}};
    for (const LookupRow& row : case_.candidates) {
      if (row.run == case_.subject.run) continue;
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

  void graph_and_inputs() {
    Item* const gm = find("gm");
    Item* const aot = find_attr("aot_config");
    std::vector<Item*> in;
    for (Item& i : items_) {
      if (i.change.attr() == "example_inputs") in.push_back(&i);
    }
    const bool environment = std::any_of(items_.begin(), items_.end(), [](const Item& i) { return names_environment(i) && i.role == Role::root && may_change_graph(i); });
    const bool backward = case_.subject.record.direction == Direction::backward;
    for (Item* i : in) i->rank = 6;
    if (gm != nullptr) {
      gm->rank = 7;
      read_graphs(*gm);
      gm->role = graph_role(in, environment);
      tell_graph(*gm, in);
      if (gm->role == Role::root && (inputs_.other_count() || inputs_.reordered)) gm->rank = in.empty() ? 7 : 5;
    }
    const bool other_inputs = inputs_.other_count() || inputs_.reordered;
    const bool inputs_follow = (gm != nullptr && (other_inputs || (backward && gm->role == Role::root))) || (environment && backward && gm != nullptr);
    for (Item* i : in) {
      if (inputs_follow) i->role = Role::consequence;
      if (inputs_.reordered) i->narrowed.cause_class = "order";
    }
    if (const Item* dtype = find("default_dtype"); dtype != nullptr) {
      for (Item* i : in) {
        if (i->narrowed.aspect == "dtype" && i->narrowed.before == dtype->narrowed.before && i->narrowed.after == dtype->narrowed.after) i->role = Role::consequence;
      }
    }
    if (aot != nullptr) {
      aot->rank = 7;
      if ((gm != nullptr && gm->role == Role::root && !difference_.same) || other_inputs) aot->role = Role::consequence;
      if (aot->change.before != nullptr && aot->change.after != nullptr && narrow_quoted(aot->change.before->text, aot->change.after->text, aot->narrowed)) {
        aot->note = "names of the sources of the graph's inputs";
      }
    }
  }

  void read_graphs(const Item& gm) {
    if (gm.change.before == nullptr || gm.change.after == nullptr) return;
    before_ = read_graph(gm.change.before->text);
    after_ = read_graph(gm.change.after->text);
    difference_ = compare(before_, after_);
    texts_equal_ = gm.change.before->text == gm.change.after->text;
  }

  [[nodiscard]] bool follows_inputs(const GraphDifference& d, const std::vector<Item*>& in) const {
    if (d.same || d.names_only) return true;
    const bool other_dtype = std::any_of(in.begin(), in.end(), [](const Item* i) { return i->narrowed.cause_class == "dtype" || i->narrowed.cause_class == "device"; });
    if (d.added == 0 && d.removed == 0 && (d.numbers_only || (d.dtypes && other_dtype))) return follow_sizes(d.numbers, sizes_);
    return d.reshapes_only && follow_sizes(d.numbers, sizes_);
  }

  Role graph_role(const std::vector<Item*>& in, bool environment) {
    const bool dynamo_graph = aot_layer();
    std::optional<GraphDifference> user = dynamo_graph ? std::optional(difference_) : evidence_.user_graph();
    if (user && texts_equal_ && dynamo_graph) user.reset();
    if (inputs_.other_count() || inputs_.reordered) {
      // A training graph's saved values depend on the configuration, not on the program alone.
      return environment && user && (user->same || user->names_only) ? Role::consequence : Role::root;
    }
    if (!in.empty()) {
      if (user) return follows_inputs(*user, in) ? Role::consequence : Role::root;
      if (follows_inputs(difference_, in)) return Role::consequence;
      const bool sizes_only = std::all_of(in.begin(), in.end(), [](const Item* i) { return i->narrowed.cause_class == "shape" || i->narrowed.cause_class == "stride"; });
      return sizes_only || dynamo_graph ? Role::root : Role::consequence;
    }
    if (!environment) return Role::root;
    if (dynamo_graph) return difference_.same || (difference_.dtypes && find("default_dtype") != nullptr) ? Role::consequence : Role::root;
    if (user) return user->same || user->names_only ? Role::consequence : Role::root;
    return Role::consequence;
  }

  void tell_graph(Item& gm, const std::vector<Item*>& in) {
    Narrowed& n = gm.narrowed;
    n.cause_class = "graph";
    if (gm.change.before == nullptr || gm.change.after == nullptr) {
      n.before.clear();
      n.after.clear();
      return;
    }
    const GraphDifference* d = &difference_;
    const auto& user = evidence_.user_graph();
    if (difference_.same && user && !user->same && !aot_layer()) {
      d = &*user;
      gm.note = "the printed code is equal; the graphs that Dynamo captured differ";
    }
    n.before = d->before;
    n.after = d->after;
    if (d->names_only && !d->same) {
      gm.note += gm.note.empty() ? "only names of values differ" : "";
      story_ = "names of values: ";
    } else if (d->moved_only && !d->same) {
      n.cause_class = "order";
      story_ = "the same operations in another order: ";
    } else if (d->numbers_only && !d->same) {
      if (in.empty() || gm.role == Role::root) n.cause_class = "constant";
      story_ = "constant ";
    } else if (d->same) {
      hidden_change(gm);
    } else if (d->before.empty()) {
      story_ = "added ";
    } else if (d->after.empty()) {
      story_ = "removed ";
    }
    if (inputs_.reordered && d->moved_only) n.cause_class = "order";
    if (d->same) return;
    const std::size_t lines = d->added + d->removed + d->changed;
    if (lines > 1) counts_ = " (" + (d->added ? "+" + std::to_string(d->added) + " " : "") + (d->removed ? "−" + std::to_string(d->removed) + " " : "") +
                             (d->changed ? "~" + std::to_string(d->changed) + " " : "") + "lines)";
    unseen_setting(gm, in);
    if (d == &difference_ && !aot_layer() && gm.role == Role::root && user && !user->same && !user->names_only) {
      const auto quoted = [](std::string_view line) {
        if (const std::size_t value = line.find(" = "); value != std::string_view::npos) line.remove_prefix(value + 3);
        return line.empty() ? std::string("(none)") : "`" + shorten(line, 44) + "`";
      };
      program_ = quoted(user->before) + " → " + quoted(user->after);
      gm.note += (gm.note.empty() ? "" : "; ") + ("in the program " + program_);
    }
  }

  /// The digest differs, what is printed does not.
  void hidden_change(Item& gm) {
    Narrowed& n = gm.narrowed;
    if (after_.constants) {
      n.cause_class = "constant";
      story_ = "the value of a constant that the graph holds (hashed, not printed)";
      gm.note = "the printed code is equal and reads constants of the module; only a value can differ";
    } else if (after_.submodules) {
      story_ = "the code of a submodule (hashed, not printed)";
      gm.note = "the printed code is equal and uses submodules; one of them must differ";
    } else {
      story_ = "something that is hashed and not printed (imports, module state)";
      gm.note = "the printed code is equal";
    }
  }

  /// Dynamo captured the same graph and no other component tells why Inductor got another one: modes and functorch
  /// flags act in between.
  void unseen_setting(Item& gm, const std::vector<Item*>& in) {
    if (aot_layer() || !in.empty() || gm.role != Role::root) return;
    const auto& user = evidence_.user_graph();
    if (!user || !(user->same || user->names_only)) return;
    std::string what;
    for (const auto& m : evidence_.modes()) {
      if (m.name == "num_threads") continue;
      what += (what.empty() ? "" : ", ") + (m.name == "autocast_state" ? std::string("autocast") : m.name + " " + m.before + " → " + m.after);
    }
    for (const auto& f : evidence_.functorch()) what += (what.empty() ? "" : ", ") + ("torch._functorch.config." + f.name + " " + f.before + " → " + f.after);
    if (!what.empty()) {
      gm.note = "Dynamo captured the same graph; " + what;
      story_ = what + "; ";
    } else {
      gm.note = "Dynamo captured the same graph: what changed acts behind it (decompositions, partitioner, a library's operator)";
    }
  }

  Causes collect() {
    std::stable_sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.role != b.role ? a.role < b.role : a.rank < b.rank; });
    Causes out;
    out.graph_story = story_;
    out.graph_program = program_;
    out.graph_counts = counts_;
    out.inputs_before = inputs_.before;
    out.inputs_after = inputs_.after;
    const bool no_root = std::none_of(items_.begin(), items_.end(), [](const Item& i) { return i.role == Role::root; });
    if (no_root && !items_.empty()) items_.front().role = Role::root;
    for (Item& i : items_) {
      Cause cause;
      cause.component = i.change.name();
      cause.before = shorten(i.narrowed.before, 200);
      cause.after = shorten(i.narrowed.after, 200);
      cause.role = i.role;
      cause.cause_class = i.narrowed.cause_class;
      cause.note = i.note;
      out.aspects.push_back(i.narrowed.aspect);
      out.causes.push_back(std::move(cause));
    }
    return out;
  }

  const Case& case_;
  const LookupRow& baseline_;
  Evidence& evidence_;
  Inputs inputs_;
  std::vector<Item> items_;
  std::vector<std::pair<std::string, std::string>> sizes_;
  GraphText before_, after_;
  GraphDifference difference_;
  bool texts_equal_ = false;
  std::string story_, counts_, program_;
};

}  // namespace

Causes find_causes(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes, Evidence& evidence) {
  return Finder(c, baseline, changes, evidence).run();
}

}  // namespace keyhole::explain_detail
