// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "cause_finder.h"
#include "keyhole/key/tensor_metadata.h"
#include "words.h"

namespace keyhole::explain_detail {
namespace {

/// Every changed number follows from a changed size: it is one of them, or their ratio (or its root) times the old one.
bool follow_sizes(const std::vector<std::pair<std::string, std::string>>& numbers,
                  const std::vector<std::pair<std::string, std::string>>& sizes) {
  return std::all_of(numbers.begin(), numbers.end(), [&](const auto& n) {
    if (n.first.find_first_of(".e") == std::string::npos && n.second.find_first_of(".e") == std::string::npos)
      return true;
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

/// The name that torch._dynamo.config.caching_precompile gives a compile, at the end of AOTAutograd's configuration
/// (torch/_dynamo/output_graph.py: "__compiled_fn_3_" and a uuid). Empty: none.
std::string_view precompile_id(std::string_view aot_config) {
  const std::size_t at = aot_config.rfind("'__compiled_fn_");
  if (at == std::string_view::npos) return {};
  const std::size_t end = aot_config.find('\'', at + 1);
  return end == std::string_view::npos ? std::string_view() : aot_config.substr(at + 1, end - at - 1);
}

}  // namespace

void CauseFinder::graph_and_inputs() {
  CauseItem* const gm = find("gm");
  CauseItem* const aot = find_attr("aot_config");
  std::vector<CauseItem*> in;
  for (CauseItem& i : items_) {
    if (i.change.attr() == "example_inputs") in.push_back(&i);
  }
  const bool environment = std::any_of(items_.begin(), items_.end(), [](const CauseItem& i) {
    return names_environment(i) && i.role == Role::root && may_change_graph(i);
  });
  const bool backward = case_.subject.record.direction == Direction::backward;
  for (CauseItem* i : in) i->rank = 6;
  if (CauseItem* size = find_symbolic(in); size != nullptr) {
    inputs_.symbolic = true;
    for (CauseItem* i : in) {
      if (i != size) i->role = Role::consequence;
    }
    if (CauseItem* indices = find("fx_kwargs[static_input_idxs]")) indices->role = Role::consequence;
    in = {size};
  }
  if (gm != nullptr) {
    gm->rank = 7;
    read_graphs(*gm);
    gm->role = graph_role(in, environment);
    tell_graph(*gm, in);
    if (gm->role == Role::root && (inputs_.other_count() || inputs_.reordered)) gm->rank = in.empty() ? 7 : 5;
  }
  const bool other_inputs = inputs_.other_count() || inputs_.reordered;
  const bool inputs_follow = (gm != nullptr && (other_inputs || (backward && gm->role == Role::root))) ||
                             (environment && backward && gm != nullptr);
  for (CauseItem* i : in) {
    if (inputs_follow) i->role = Role::consequence;
    if (inputs_.reordered) i->narrowed.cause_class = "order";
  }
  if (const CauseItem* dtype = find("default_dtype"); dtype != nullptr) {
    for (CauseItem* i : in) {
      if (i->narrowed.aspect == "dtype" && i->narrowed.before == dtype->narrowed.before &&
          i->narrowed.after == dtype->narrowed.after)
        i->role = Role::consequence;
    }
  }
  if (aot != nullptr) {
    aot->rank = 7;
    if ((gm != nullptr && gm->role == Role::root && !difference_.same) || other_inputs || inputs_.symbolic)
      aot->role = Role::consequence;
    if (aot->change.before != nullptr && aot->change.after != nullptr &&
        narrow_quoted(aot->change.before->text, aot->change.after->text, aot->narrowed)) {
      aot->note = "names of the sources of the graph's inputs";
    }
    tell_precompile(*aot, gm);
  }
}

void CauseFinder::tell_precompile(CauseItem& aot, CauseItem* gm) {
  if (aot.role != Role::root || aot.change.before == nullptr || aot.change.after == nullptr) return;
  const std::string_view before = precompile_id(aot.change.before->text);
  const std::string_view after = precompile_id(aot.change.after->text);
  if (before == after) return;
  Narrowed& n = aot.narrowed;
  n.before = before.empty() ? "None" : std::string(before);
  n.after = after.empty() ? "None" : std::string(after);
  n.cause_class = before.empty() || after.empty() ? "config" : "instability:uuid";
  aot.note = kPrecompile;
  if (gm != nullptr && difference_.same) {
    gm->role = Role::consequence;  // what the switch puts into the graph module is not printed
    aot.rank = 5;
  }
}

CauseItem* CauseFinder::find_symbolic(const std::vector<CauseItem*>& in) {
  if (inputs_.before == inputs_.after) return nullptr;
  const auto tensors = [](const std::vector<ComponentPtr>& set, bool& only) {
    std::vector<ComponentPtr> out;
    for (const ComponentPtr c : set) {
      if (c->name.rfind("example_inputs[", 0) != 0 || parse_symbol_text(c->text)) continue;
      only &= parse_tensor_metadata(c->text).has_value();
      out.push_back(c);
    }
    return out;
  };
  bool only = true;
  const auto before = tensors(baseline_.record.components, only);
  const auto after = tensors(case_.subject.record.components, only);
  if (!only || before.size() != after.size()) return nullptr;
  CauseItem* found = nullptr;
  for (std::size_t i = 0; i < after.size(); ++i) {
    if (before[i]->digest == after[i]->digest) continue;
    const Narrowed n = narrow({before[i], after[i]});
    // Other sizes, or another tensor altogether.
    if (n.cause_class != "shape" || n.aspect != "shape" || n.before.find(" torch.") != std::string::npos)
      return nullptr;
    if (found != nullptr) continue;
    for (CauseItem* item : in) {
      if (item->change.name() == after[i]->name) found = item;
    }
    if (found == nullptr) return nullptr;
    found->narrowed = n;
    found->note = "the graph takes " + std::to_string(inputs_.before) + " → " + std::to_string(inputs_.after) +
                  " inputs: sizes that are symbols are inputs too";
  }
  return found;
}

void CauseFinder::read_graphs(const CauseItem& gm) {
  if (gm.change.before == nullptr || gm.change.after == nullptr) return;
  before_ = read_graph(gm.change.before->text);
  after_ = read_graph(gm.change.after->text);
  difference_ = compare(before_, after_);
  texts_equal_ = gm.change.before->text == gm.change.after->text;
}

bool CauseFinder::follows_inputs(const GraphDifference& d, const std::vector<CauseItem*>& in) const {
  if (d.same || d.names_only) return true;
  const bool other_dtype = std::any_of(in.begin(), in.end(), [](const CauseItem* i) {
    return i->narrowed.cause_class == "dtype" || i->narrowed.cause_class == "device";
  });
  if (d.added == 0 && d.removed == 0 && (d.numbers_only || (d.dtypes && other_dtype)))
    return follow_sizes(d.numbers, sizes_);
  return d.reshapes_only && follow_sizes(d.numbers, sizes_);
}

/// What a backward is given is what its forward saved: with autocast in other types, though no input changed.
bool CauseFinder::set_behind_the_program(const std::vector<CauseItem*>& in) {
  const auto& modes = evidence_.modes();
  return std::any_of(modes.begin(), modes.end(), [](const auto& m) { return m.name == "autocast_state"; }) &&
         std::any_of(in.begin(), in.end(),
                     [](const CauseItem* i) { return i->narrowed.before.find("torch.") != std::string::npos; });
}

Role CauseFinder::graph_role(const std::vector<CauseItem*>& in, bool environment) {
  const bool dynamo_graph = aot_layer();
  std::optional<GraphDifference> user = dynamo_graph ? std::optional(difference_) : evidence_.user_graph();
  if (user && texts_equal_ && dynamo_graph) user.reset();
  if (inputs_.other_count() || inputs_.reordered) {
    // A training graph's saved values depend on the configuration, not on the program alone.
    return environment && user && (user->same || user->names_only) ? Role::consequence : Role::root;
  }
  if (!in.empty()) {
    if (case_.subject.record.direction == Direction::backward && user && (user->same || user->names_only) &&
        set_behind_the_program(in))
      return Role::root;
    if (user) return follows_inputs(*user, in) ? Role::consequence : Role::root;
    if (inputs_.symbolic || follows_inputs(difference_, in)) return Role::consequence;
    const bool sizes_only = std::all_of(in.begin(), in.end(), [](const CauseItem* i) {
      return i->narrowed.cause_class == "shape" || i->narrowed.cause_class == "stride";
    });
    return sizes_only || dynamo_graph ? Role::root : Role::consequence;
  }
  if (!environment) return Role::root;
  if (dynamo_graph)
    return difference_.same || (difference_.dtypes && find("default_dtype") != nullptr) ? Role::consequence
                                                                                        : Role::root;
  if (user) return user->same || user->names_only ? Role::consequence : Role::root;
  return Role::consequence;
}

void CauseFinder::tell_graph(CauseItem& gm, const std::vector<CauseItem*>& in) {
  Narrowed& n = gm.narrowed;
  n.cause_class = "graph";
  if (gm.change.before == nullptr || gm.change.after == nullptr) {
    n.before.clear();
    n.after.clear();
    return;
  }
  const GraphDifference* d = &difference_;
  const auto& user = evidence_.user_graph();
  if (user && !user->same && (!aot_layer() || difference_.same) &&
      (difference_.same || ((difference_.names_only || difference_.results) && !user->names_only))) {
    d = &*user;
    gm.note = difference_.same ? "the printed code is equal; the graphs that Dynamo captured differ"
                               : "read from the graphs that Dynamo captured; of Inductor's the operations are equal";
  }
  n.before = d->before;
  n.after = d->after;
  if (d->names_only && !d->same) {
    if (gm.note.empty()) gm.note = kNamesOnly;
    story_ = "names of values: ";
  } else if (d->moved_only && !d->same) {
    n.cause_class = "order";
    story_ = "the same operations in another order: ";
  } else if (d->results && d->added + d->removed + d->changed == 1) {
    story_ = "the values that it returns: ";
  } else if (d->numbers_only && !d->same) {
    const bool dtypes_only = d->dtypes && d->numbers.empty();
    if (in.empty() || gm.role == Role::root) n.cause_class = dtypes_only ? "dtype" : "constant";
    story_ = dtypes_only ? "dtypes: " : "constant ";
  } else if (d->same) {
    hidden_change(gm);
  } else if (d->before.empty()) {
    story_ = "added ";
  } else if (d->after.empty()) {
    story_ = "removed ";
  }
  if (inputs_.reordered && d->moved_only) n.cause_class = "order";
  if (d->same) {
    unseen_setting(gm, in);
    return;
  }
  if (n.cause_class == "constant" && d->numbers.size() == 1) {
    const auto& [x, y] = d->numbers.front();
    if (const auto kind = instability("gm", x, y, {}); kind == "time") {
      n.cause_class = "instability:time";
      story_ = "a time as a constant, new in every run: ";
    }
  }
  const std::size_t lines = d->added + d->removed + d->changed;
  if (lines > 1)
    counts_ = " (" + (d->added ? "+" + std::to_string(d->added) + " " : "") +
              (d->removed ? "−" + std::to_string(d->removed) + " " : "") +
              (d->changed ? "~" + std::to_string(d->changed) + " " : "") + "lines)";
  // A number that changed beside an operation is a change of its own.
  if (in.empty() && !d->numbers_only) {
    for (std::size_t k = 0; k < std::min<std::size_t>(2, d->numbers.size()); ++k) {
      counts_ += ", " + d->numbers[k].first + " → " + d->numbers[k].second;
    }
  }
  unseen_setting(gm, in);
  if (d == &difference_ && !aot_layer() && gm.role == Role::root && n.cause_class == "graph" && user && !user->same &&
      !user->names_only) {
    const auto value_of = [](const std::string& line) {
      const std::size_t value = line.find(" = ");
      return value == std::string::npos ? line : line.substr(value + 3);
    };
    const auto quoted = [](const std::string& line) { return line.empty() ? "(none)" : "`" + line + "`"; };
    const auto [before, after] = in_sight(value_of(user->before), value_of(user->after), 44);
    program_ = quoted(before) + " → " + quoted(after);
    gm.note += (gm.note.empty() ? "" : "; ") + ("in the program " + program_);
  }
}

void CauseFinder::hidden_change(CauseItem& gm) {
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

void CauseFinder::unseen_setting(CauseItem& gm, const std::vector<CauseItem*>& in) {
  const bool backward = case_.subject.record.direction == Direction::backward;
  if (aot_layer() || (!in.empty() && !backward) || gm.role != Role::root) return;
  const auto& user = evidence_.user_graph();
  if (!user || !(user->same || user->names_only)) return;
  std::string what;
  if (!evidence_.requires_grad().empty()) {
    const auto& grads = evidence_.requires_grad();
    what = "requires_grad of " + grads.front().name + ' ' + grads.front().before + " → " + grads.front().after;
    if (grads.size() > 1) what += " and " + std::to_string(grads.size() - 1) + " more";
    gm.narrowed.cause_class = "requires_grad";
  }
  for (const auto& m : evidence_.modes()) {
    if (m.name == "num_threads") continue;
    const bool autocast = m.name == "autocast_state";
    what += (what.empty() ? "" : ", ") + ((autocast ? "autocast" : m.name) +
                                          (m.before == m.after ? std::string() : " " + m.before + " → " + m.after));
  }
  for (const auto& f : evidence_.functorch())
    what += (what.empty() ? "" : ", ") + ("torch._functorch.config." + f.name + " " + f.before + " → " + f.after);
  if (!what.empty()) {
    gm.note = std::string(kSettingBehind) + what;
    if (gm.narrowed.cause_class == "constant" || gm.narrowed.cause_class == "dtype") gm.narrowed.cause_class = "graph";
    story_ = difference_.same ? what : what + "; ";
  } else if (!difference_.same) {
    gm.note =
        "Dynamo captured the same graph: what changed acts behind it (decompositions, partitioner, a library's "
        "operator)";
  }
}

}  // namespace keyhole::explain_detail
