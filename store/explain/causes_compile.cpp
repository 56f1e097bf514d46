// SPDX-License-Identifier: Apache-2.0
#include "causes_compile.h"

#include <algorithm>
#include <array>
#include <map>

#include "graph_text.h"

namespace keyhole::explain_detail {
namespace {

/// In the order in which they explain: another compiler makes another object whatever else changed.
enum Rank { kToolchain, kOption, kVariable, kFolder, kSourcePath, kSource, kHeader, kPlaces, kOther };

struct Item {
  Rank rank = kOther;
  Role role = Role::root;
  std::string component, before, after, cause_class, note, told;
};

/// "option[-D] #2" -> "option". The number of a name that stands there twice is behind the bracket.
std::string_view attr_of(std::string_view name) {
  return name.substr(0, name.find('['));
}

/// "option[-D] #2" -> "-D", "include[a b.h]" -> "a b.h".
std::string_view index_of(std::string_view name) {
  const std::size_t open = name.find('[');
  const std::size_t close = name.rfind(']');
  return open == std::string_view::npos || close == std::string_view::npos || close < open
             ? std::string_view()
             : name.substr(open + 1, close - open - 1);
}

struct Option {
  std::string value, origin;  ///< "X=1", "NVCC_APPEND_FLAGS"; no value: empty
};

/// "given", "X=1", "X=1 (NVCC_APPEND_FLAGS)".
Option read_option(const Component& c) {
  Option out{c.text, {}};
  const std::size_t open = out.value.rfind(" (");
  if (open != std::string::npos && out.value.back() == ')') {
    const std::string origin = out.value.substr(open + 2, out.value.size() - open - 3);
    // A value may end in a parenthesis of its own; an origin is a variable or a file.
    if (!origin.empty() && origin.find_first_of(" ()\"',=") == std::string::npos) {
      out.origin = origin;
      out.value.erase(open);
    }
  }
  if (out.value == "given") out.value.clear();
  return out;
}

/// As a user writes it: -O2, -DX=1, -std=c++17, -isystem inc.
std::string spelled(const std::string& name, const std::string& value) {
  if (value.empty()) return name;
  static constexpr std::array<std::string_view, 14> kApart = {
      "-include", "-imacros", "-isystem", "-iquote",  "-idirafter", "-x",     "-Xcompiler",
      "-Xptxas",  "-Xlinker", "-Xfatbin", "-gencode", "-ccbin",     "-Xarch", "-optf"};
  if (std::find(kApart.begin(), kApart.end(), name) != kApart.end()) return name + ' ' + value;
  return name.size() == 2 ? name + value : name + '=' + value;
}

using Members = std::map<std::string, std::vector<const Component*>>;

/// Options by name, in their order: of the second -D and the third the numbers move when one is put before them.
Members options_of(const LookupRow& row) {
  Members out;
  for (const ComponentPtr c : row.record.components) {
    if (attr_of(c->name) == "option") out[std::string(index_of(c->name))].push_back(c);
  }
  return out;
}

class Finder {
 public:
  Finder(const LookupRow& baseline, const LookupRow& subject, const std::vector<Change>& changes)
      : baseline_(baseline), subject_(subject), changes_(changes) {}

  Causes run() {
    options();
    for (const Change& c : changes_) take(c);
    follow();
    std::stable_sort(items_.begin(), items_.end(),
                     [](const Item& a, const Item& b) { return a.role != b.role ? a.role < b.role : a.rank < b.rank; });
    if (!items_.empty()) items_.front().role = Role::root;
    Causes out;
    for (Item& i : items_) {
      Cause cause;
      cause.component = std::move(i.component);
      cause.before = shorten(i.before, 200);
      cause.after = shorten(i.after, 200);
      cause.role = i.role;
      cause.cause_class = std::move(i.cause_class);
      cause.note = std::move(i.note);
      out.causes.push_back(std::move(cause));
      out.aspects.emplace_back();
      out.told.push_back(std::move(i.told));
    }
    return out;
  }

 private:
  void options() {
    const Members before = options_of(baseline_);
    const Members after = options_of(subject_);
    Members names = before;
    names.insert(after.begin(), after.end());
    for (const auto& [name, unused] : names) {
      static const std::vector<const Component*> kNone;
      const auto a = before.find(name);
      const auto b = after.find(name);
      option(name, a == before.end() ? kNone : a->second, b == after.end() ? kNone : b->second);
    }
  }

  void option(const std::string& name, const std::vector<const Component*>& before,
              const std::vector<const Component*>& after) {
    // What only one side has, whatever its number.
    std::vector<const Component*> gone = before;
    std::vector<const Component*> come;
    for (const Component* c : after) {
      const auto same =
          std::find_if(gone.begin(), gone.end(), [&](const Component* g) { return g->digest == c->digest; });
      if (same == gone.end())
        come.push_back(c);
      else
        gone.erase(same);
    }
    const auto from = [](const Option& o) { return o.origin.empty() ? std::string() : o.origin; };
    if (gone.empty() && come.empty()) {
      const bool moved = !std::equal(before.begin(), before.end(), after.begin(), after.end(),
                                     [](const Component* x, const Component* y) { return x->digest == y->digest; });
      if (!moved) return;
      std::string x;
      std::string y;
      for (const Component* c : before) x += (x.empty() ? "" : " ") + spelled(name, read_option(*c).value);
      for (const Component* c : after) y += (y.empty() ? "" : " ") + spelled(name, read_option(*c).value);
      add({kOption, Role::root, after.front()->name, x, y, "order", {}, "the order of " + name + ": " + x + " → " + y});
      return;
    }
    for (std::size_t i = 0; i < std::max(gone.size(), come.size()); ++i) {
      const Option x = i < gone.size() ? read_option(*gone[i]) : Option();
      const Option y = i < come.size() ? read_option(*come[i]) : Option();
      Item item{kOption, Role::root, (i < come.size() ? come[i] : gone[i])->name, {}, {}, "config", {}, {}};
      if (i < gone.size()) item.before = spelled(name, x.value);
      if (i < come.size()) item.after = spelled(name, y.value);
      const std::string origin = from(i < come.size() ? y : x);
      if (i >= gone.size()) {
        item.told = item.after + " added" + (origin.empty() ? "" : " by " + origin);
      } else if (i >= come.size()) {
        item.told = item.before + " removed" + (origin.empty() ? "" : " (it came from " + origin + ")");
      } else {
        item.told = item.before + " → " + item.after + (origin.empty() ? "" : " by " + origin);
      }
      if (!origin.empty()) {
        item.note = "from " + origin;
        item.cause_class = "env";
      }
      add(std::move(item));
    }
  }

  void take(const Change& c) {
    const std::string_view attr = attr_of(c.name());
    const std::string index(index_of(c.name()));
    Item item;
    item.component = c.name();
    if (c.before != nullptr) item.before = c.before->text;
    if (c.after != nullptr) item.after = c.after->text;
    const std::string arrow = (c.before == nullptr ? "(unset)" : shorten(item.before, 80)) + " → " +
                              (c.after == nullptr ? "(unset)" : shorten(item.after, 80));
    if (attr == "option") return;
    if (attr == "toolchain") {
      item.rank = kToolchain;
      item.cause_class = "version";
      item.told = "the compiler changed: " + index +
                  (c.before == nullptr  ? " is new"
                   : c.after == nullptr ? " is gone"
                                        : " " + arrow);
    } else if (attr == "environment") {
      item.rank = kVariable;
      item.cause_class = "env";
      item.told = "variable " + index + ' ' + arrow;
    } else if (attr == "folder") {
      item.rank = kFolder;
      item.cause_class = "env";
      item.told = "working folder " + arrow;
    } else if (attr == "source") {
      item.rank = kSourcePath;
      item.cause_class = "kernel_source";
      item.told = "path of the source " + arrow;
    } else if (attr == "include") {
      const bool source = index == source_of(subject_);
      item.rank = source ? kSource : kHeader;
      item.cause_class = "kernel_source";
      const std::string what = (source ? "source " : "header ") + index;
      item.told = c.before == nullptr  ? what + " is included now"
                  : c.after == nullptr ? what + " is not included any more"
                                       : what + " changed (" + brief(item.before) + " → " + brief(item.after) + ")";
    } else if (attr == "looked_for") {
      item.rank = kPlaces;
      item.cause_class = "kernel_source";
      item.told = places(index, item.before, item.after);
    } else {
      item.rank = kOther;
      item.cause_class = std::string(class_of(c.name()));
      item.told = c.name() + ' ' + arrow;
    }
    add(std::move(item));
  }

  static std::string brief(std::string_view digest) {
    if (digest.rfind("sha256 ", 0) == 0) digest.remove_prefix(7);
    return std::string(digest.substr(0, 8)) + "…";
  }

  /// "not there: a.h, b.h; there, not read: c.h", on both sides.
  static std::string places(const std::string& folder, std::string_view before, std::string_view after) {
    const auto names = [](std::string_view text, std::string_view title) {
      std::vector<std::string> out;
      std::size_t at = text.find(title);
      if (at == std::string_view::npos) return out;
      at += title.size();
      const std::size_t end = std::min(text.find("; ", at), text.size());
      while (at < end) {
        const std::size_t comma = std::min(text.find(", ", at), end);
        out.emplace_back(text.substr(at, comma - at));
        at = comma + 2;
      }
      return out;
    };
    const auto first_new = [](const std::vector<std::string>& was, const std::vector<std::string>& is) {
      for (const std::string& n : is) {
        if (std::find(was.begin(), was.end(), n) == was.end() && n != "…") return n;
      }
      return std::string();
    };
    constexpr std::string_view kMissing = "not there: ";
    constexpr std::string_view kPresent = "there, not read: ";
    const std::string in = folder.empty() ? std::string() : " in " + folder;
    if (const std::string n = first_new(names(before, kPresent), names(after, kPresent)); !n.empty())
      return "a file " + n + " stands" + in + " now, where a header is looked for";
    if (const std::string n = first_new(names(after, kMissing), names(before, kMissing)); !n.empty())
      return n + " was not" + in + " before";
    if (const std::string n = first_new(names(before, kMissing), names(after, kMissing)); !n.empty())
      return n + " is not" + in + " any more, or is looked for there now";
    return "where headers are looked for changed" + in;
  }

  [[nodiscard]] bool has_root(Rank rank) const {
    return std::any_of(items_.begin(), items_.end(),
                       [&](const Item& i) { return i.rank == rank && i.role == Role::root; });
  }

  void follow() {
    const bool other_path = has_root(kSourcePath);
    bool tool = false;
    for (Item& i : items_) {
      const bool one_side = i.before.empty() || i.after.empty();
      if (i.rank == kToolchain) {  // the driver's own part stands first
        if (tool) i.role = Role::consequence;
        tool = true;
      } else if (i.rank == kSource && other_path) {
        i.role = one_side ? Role::consequence : Role::root;
      }
    }
    const bool command = has_root(kOption) || has_root(kVariable) || has_root(kToolchain);
    const bool source = has_root(kSource) || other_path;
    for (Item& i : items_) {
      const bool one_side = i.before.empty() || i.after.empty();
      if (i.rank == kHeader && one_side && (command || source || has_changed_header())) i.role = Role::consequence;
      if (i.rank == kOther && i.component == "steps" && command) i.role = Role::consequence;
    }
    const bool headers = has_root(kHeader);
    for (Item& i : items_) {
      if (i.rank == kPlaces && (command || source || headers)) i.role = Role::consequence;
    }
    // A header that is read now because it appeared is told by its place, the one that it hides follows.
  }

  [[nodiscard]] bool has_changed_header() const {
    return std::any_of(items_.begin(), items_.end(),
                       [](const Item& i) { return i.rank == kHeader && !i.before.empty() && !i.after.empty(); });
  }

  void add(Item item) { items_.push_back(std::move(item)); }

  const LookupRow& baseline_;
  const LookupRow& subject_;
  const std::vector<Change>& changes_;
  std::vector<Item> items_;
};

}  // namespace

std::string_view source_of(const LookupRow& row) {
  if (row.record.layer != Layer::code && row.record.layer != Layer::cuda) return {};
  std::string_view first;
  for (const ComponentPtr c : row.record.components) {
    if (c->name == "source") return c->text;
    if (first.empty() && attr_of(c->name) == "include") first = index_of(c->name);
  }
  return first;
}

bool is_compile_layer(const LookupRow& row) {
  return !source_of(row).empty();
}

Causes find_compile_causes(const LookupRow& baseline, const LookupRow& subject, const std::vector<Change>& changes) {
  return Finder(baseline, subject, changes).run();
}

std::string fix_of_compile_cause(const Cause& cause) {
  const std::string_view attr = attr_of(cause.component);
  if (attr == "toolchain")
    return "nothing to repair: another compiler makes other objects; each file compiles once with it";
  if (attr == "option")
    return cause.note.empty() ? "build with the same options; the result of these is stored now"
                              : "unset the options that come " + cause.note + ", or keep them for every build";
  if (attr == "environment") return "set the variable as before, or leave it out of the build's environment";
  if (attr == "folder")
    return "build in the same folder: its path enters the object (nvcc's symbol names, -g), see -fdebug-prefix-map";
  if (attr == "source") return "compile from the same path: the command names it";
  if (attr == "include") return "nothing to repair: what is compiled changed, and its result is stored now";
  if (attr == "looked_for") return "keep the folders that are searched for headers as they were";
  return {};
}

}  // namespace keyhole::explain_detail
