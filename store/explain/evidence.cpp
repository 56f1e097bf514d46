// SPDX-License-Identifier: Apache-2.0
#include "evidence.h"

#include <map>

namespace keyhole::explain_detail {
namespace {

std::string joined(const std::vector<TextRecord>& texts) {
  std::string out;
  for (const TextRecord& t : texts) {
    if (!out.empty()) out += '\n';
    out += t.text;
  }
  return out;
}

/// `"name": value` a line, as json.dumps(indent=0) prints it. A value that spans lines is taken whole.
std::map<std::string, std::string, std::less<>> flags(std::string_view text) {
  std::map<std::string, std::string, std::less<>> out;
  std::string* last = nullptr;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t end = std::min(text.find('\n', pos), text.size());
    std::string_view line = text.substr(pos, end - pos);
    pos = end + 1;
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (!line.empty() && line.back() == ',') line.remove_suffix(1);
    const std::size_t close = line.size() > 2 && line[0] == '"' ? line.find("\": ", 1) : std::string_view::npos;
    if (close != std::string_view::npos) {
      last = &(out[std::string(line.substr(1, close - 1))] = std::string(line.substr(close + 3)));
    } else if (last != nullptr && line != "}") {
      last->append(line);
    }
  }
  return out;
}

/// The members of the JSON object behind `___check_global_state() against `.
std::map<std::string, std::string, std::less<>> global_state(std::string_view guards) {
  std::map<std::string, std::string, std::less<>> out;
  const std::size_t at = guards.find("___check_global_state() against {");
  if (at == std::string_view::npos) return out;
  std::size_t i = guards.find('{', at) + 1;
  while (i < guards.size() && guards[i] == '"') {
    const std::size_t close = guards.find('"', i + 1);
    if (close == std::string_view::npos || close + 1 >= guards.size()) break;
    const std::string name(guards.substr(i + 1, close - i - 1));
    std::size_t end = close + 2;
    for (int depth = 0; end < guards.size(); ++end) {
      const char c = guards[end];
      if (c == '{' || c == '[') ++depth;
      if (depth == 0 && (c == ',' || c == '}')) break;
      if (c == '}' || c == ']') --depth;
    }
    if (end >= guards.size()) break;
    out[name] = std::string(guards.substr(close + 2, end - close - 2));
    if (guards[end] == '}') break;
    i = end + 1;
  }
  return out;
}

/// check_tensor(L['x'], …, requires_grad=True, …): source -> flag.
std::map<std::string, std::string, std::less<>> grads(std::string_view guards) {
  std::map<std::string, std::string, std::less<>> out;
  constexpr std::string_view kCall = "check_tensor(";
  for (std::size_t at = guards.find(kCall); at != std::string_view::npos; at = guards.find(kCall, at + 1)) {
    const std::size_t begin = at + kCall.size();
    const std::size_t line = std::min(guards.find('\n', begin), guards.size());
    const std::string_view rest = guards.substr(begin, line - begin);
    const std::size_t comma = rest.find(", ");
    const std::size_t flag = rest.find("requires_grad=");
    if (comma == std::string_view::npos || flag == std::string_view::npos) continue;
    out[std::string(rest.substr(0, comma))] = rest.substr(flag + 14, 4) == "True" ? "True" : "False";
  }
  return out;
}

/// A weight that became a buffer keeps its name: "L['m']._buffers['w']" is looked for as a parameter too.
std::map<std::string, std::string, std::less<>> as_named(const std::map<std::string, std::string, std::less<>>& grads,
                                                         const std::map<std::string, std::string, std::less<>>& other) {
  std::map<std::string, std::string, std::less<>> out;
  for (const auto& [name, flag] : grads) {
    std::string alias = name;
    for (const auto& [from, to] : {std::pair<std::string_view, std::string_view>{"._buffers[", "._parameters["},
                                   {"._parameters[", "._buffers["}}) {
      const std::size_t at = name.rfind(from);
      if (other.count(name) > 0 || at == std::string::npos) continue;
      std::string renamed = name.substr(0, at) + std::string(to) + name.substr(at + from.size());
      if (other.count(renamed) > 0) alias = std::move(renamed);
    }
    out[alias] = flag;
  }
  return out;
}

/// {"dtype":[15,…],"enabled":[true,…]} of torch/csrc/dynamo/guards.cpp, a place for each kind of device: the dtypes of
/// those where autocast is on, "off" where it is nowhere.
std::string autocast_text(std::string_view state) {
  const auto list = [&](std::string_view name) {
    std::vector<std::string_view> out;
    const std::size_t at = state.find(name);
    if (at == std::string_view::npos) return out;
    const std::size_t open = state.find('[', at);
    const std::size_t close = std::min(state.find(']', at), state.size());
    for (std::size_t i = open + 1; open < close && i < close;) {
      const std::size_t end = std::min(state.find(',', i), close);
      out.push_back(state.substr(i, end - i));
      i = end + 1;
    }
    return out;
  };
  // c10::ScalarType of torch/headeronly/core/ScalarType.h
  const auto dtype = [](std::string_view number) {
    return number == "5"    ? std::string("torch.float16")
           : number == "6"  ? std::string("torch.float32")
           : number == "15" ? std::string("torch.bfloat16")
                            : "dtype " + std::string(number);
  };
  const auto enabled = list("\"enabled\"");
  const auto dtypes = list("\"dtype\"");
  std::string out;
  for (std::size_t i = 0; i < enabled.size() && i < dtypes.size(); ++i) {
    if (enabled[i] != "true") continue;
    const std::string one = dtype(dtypes[i]);
    if (out.find(one) == std::string::npos) out += (out.empty() ? "" : ", ") + one;
  }
  return out.empty() ? "off" : out;
}

template <class Map>
std::vector<Evidence::Setting> changed(const Map& a, const Map& b, bool both_only) {
  std::vector<Evidence::Setting> out;
  if (a.empty() || b.empty()) return out;
  for (const auto& [name, value] : b) {
    const auto i = a.find(name);
    if (i == a.end()) {
      if (!both_only) out.push_back({name, "", value});
    } else if (i->second != value) {
      out.push_back({name, i->second, value});
    }
  }
  return out;
}

}  // namespace

std::pair<std::string, std::string> Evidence::both(TextKind kind, bool single) const {
  if (!case_.texts) return {};
  const auto texts = [&](const LookupRow& row) {
    auto out = case_.texts(row, kind);
    // Guards that have a name are the conditions of single lines.
    std::erase_if(out, [&](const TextRecord& t) { return kind == TextKind::dynamo_guards && !t.name.empty(); });
    return out;
  };
  const auto after = texts(case_.subject);
  if (after.empty() || (single && after.size() > 1)) return {};
  const auto before = texts(baseline_);
  if (single && before.size() > 1) return {};
  return {joined(before), joined(after)};
}

const std::optional<GraphDifference>& Evidence::user_graph() {
  if (!have_graph_) {
    have_graph_ = true;
    const auto [before, after] = both(TextKind::dynamo_graph, true);
    if (!before.empty() && !after.empty()) graph_ = compare(read_graph(before), read_graph(after));
  }
  return graph_;
}

const std::vector<Evidence::Setting>& Evidence::modes() {
  if (!have_guards_) {
    have_guards_ = true;
    const auto [before, after] = both(TextKind::dynamo_guards, true);
    modes_ = changed(global_state(before), global_state(after), true);
    for (Setting& m : modes_) {
      if (m.name != "autocast_state") continue;
      m.before = autocast_text(m.before);
      m.after = autocast_text(m.after);
    }
    const auto now = grads(after);
    requires_grad_ = changed(as_named(grads(before), now), now, true);
  }
  return modes_;
}

const std::vector<Evidence::Setting>& Evidence::requires_grad() {
  modes();
  return requires_grad_;
}

std::pair<bool, bool> Evidence::precompile() const {
  const auto [before, after] = both(TextKind::dynamo_config);
  const auto on = [](const std::string& json) {
    return json.find("\"caching_precompile\": true") != std::string::npos;
  };
  return {on(before), on(after)};
}

const std::vector<Evidence::Setting>& Evidence::functorch() {
  if (!have_functorch_) {
    have_functorch_ = true;
    const auto [before, after] = both(TextKind::functorch_config);
    functorch_ = changed(flags(before), flags(after), false);
  }
  return functorch_;
}

}  // namespace keyhole::explain_detail
