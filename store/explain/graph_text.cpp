// SPDX-License-Identifier: Apache-2.0
#include "graph_text.h"

#include <algorithm>
#include <unordered_map>

#include "graph_tokens.h"

namespace keyhole::explain_detail {
namespace {

void hash_line(GraphLine& line) {
  std::uint64_t exact = kSeed;
  std::uint64_t structure = kSeed;
  std::uint64_t numbers = kSeed;
  tokens(line.text, [&](const Token& t) {
    switch (t.kind) {
      case Kind::number:
        exact = mix(exact, t.text);
        structure = mix(structure, "#");
        numbers = mix(numbers, t.text);
        break;
      case Kind::word: {
        exact = mix(exact, t.member ? t.text : value_name(t.text));
        structure = mix(structure,
                        t.member && !dtype_word(t.text) ? t.text : std::string_view(symbol_word(t.text) ? "#" : "@"));
        break;
      }
      case Kind::string:
      case Kind::other:
        exact = mix(exact, t.text);
        // Minus belongs to the number that it precedes: -1 and 24 are both sizes.
        if (t.text != "-") structure = mix(structure, t.text);
        break;
    }
  });
  line.exact = exact;
  line.structure = structure;
  line.numbers = numbers;
  const std::string_view op = called(line.text);
  line.operation = op.empty() ? 0 : mix(kSeed, op);
}

/// `ge = u0 >= 0` and `_assert_scalar(ge, …)`: what PyTorch writes into a graph for a size that it does not know.
void mark_size_checks(std::vector<GraphLine>& lines) {
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view op = called(lines[i].text);
    if (op != "_assert_scalar" && op != "sym_constrain_range" && op != "sym_constrain_range_for_size") continue;
    lines[i].of_sizes = true;
    if (i == 0 || lines[i - 1].operation != 0) continue;
    const std::string_view asked = lines[i - 1].text;
    const std::string_view name = asked.substr(0, asked.find_first_of(": ="));
    const std::size_t open = lines[i].text.find(op) + op.size();
    const std::size_t at = lines[i].text.find('(', open);
    if (at != std::string_view::npos && lines[i].text.substr(at + 1, name.size()) == name) lines[i - 1].of_sizes = true;
  }
}

/// Removes `: "f32[8, 16]"` after a name: the shape is told by the inputs.
bool annotation_at(std::string_view s, std::size_t i) {
  return s[i] == ':' && s.substr(i, 3) == ": \"";
}

}  // namespace

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string shorten(std::string_view text, std::size_t limit) {
  std::string out;
  std::size_t n = 0;
  const bool cut = characters(text) > limit;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t len = 1;
    while (i + len < text.size() && (static_cast<unsigned char>(text[i + len]) & 0xC0U) == 0x80U) ++len;
    if (cut && n + 1 >= limit) break;
    const auto c = static_cast<unsigned char>(text[i]);
    if (len == 1 && (c < 0x20 || c == 0x7F)) {
      out += ' ';
    } else {
      out.append(text.substr(i, len));
    }
    i += len;
    ++n;
  }
  if (cut) out += "…";
  return out;
}

GraphText read_graph(std::string_view text) {
  GraphText g;
  std::size_t pos = 0;
  int open = 0;  // parentheses of a signature or a return that spans lines
  bool in_signature = false;
  while (pos < text.size()) {
    const std::size_t end = std::min(text.find('\n', pos), text.size());
    std::string_view line = trim(text.substr(pos, end - pos));
    pos = end + 1;
    if (line.empty() || line[0] == '#') continue;
    if (in_signature) {
      if (line.find("):") == 0) {
        in_signature = false;
      } else if (line != "self,") {
        ++g.inputs;
      }
      continue;
    }
    if (open > 0) {  // the values of a return, one a line
      open += static_cast<int>(std::count(line.begin(), line.end(), '(')) -
              static_cast<int>(std::count(line.begin(), line.end(), ')'));
      continue;
    }
    if (line.substr(0, 4) == "def ") {
      if (line.back() != ':') {
        in_signature = true;
        g.signature = line;
        continue;
      }
      if (g.signature.empty()) {
        g.signature = line;
        const std::size_t p = line.find('(');
        int depth = 0;
        for (std::size_t i = p; p != std::string_view::npos && i < line.size(); ++i) {
          const char c = line[i];
          if (c == '"') {
            i = std::min(line.find('"', i + 1), line.size());
            continue;
          }
          if (c == '(' || c == '[') ++depth;
          if (c == ')' || c == ']') --depth;
          if (c == ',' && depth == 1) ++g.inputs;
        }
      }
      continue;
    }
    if (line.substr(0, 6) == "class " || line.substr(0, 7) == "import " || line.substr(0, 5) == "from ") continue;
    if (line.substr(0, 8) == "return (" && line.back() == '(') open = 1;
    if (const std::size_t freed = line.find(";  ");
        freed != std::string_view::npos && line.size() > 7 && line.substr(line.size() - 7) == " = None") {
      line = trim(line.substr(0, freed));
    }
    if (line.find(" = ") == std::string_view::npos && line.substr(0, 6) != "return" &&
        line.find(' ') == std::string_view::npos)
      continue;  // "GraphModule()"
    const std::size_t self = line.find("= self.");
    if (self != std::string_view::npos) {
      const std::string_view attribute = line.substr(self + 7);
      (attribute.substr(0, 16) == "_tensor_constant" || attribute.substr(0, 7) == "_frozen" ||
               attribute.substr(0, 8) == "lifted_t"
           ? g.constants
           : g.submodules) = true;
    }
    // Dynamo's "l_x_ = L_x_" only names an input; the names come with the sources, not with what is computed.
    if (const std::size_t eq = line.find(" = L_");
        eq != std::string_view::npos && line.find('(') == std::string_view::npos)
      continue;
    GraphLine out;
    out.text = line;
    g.lines.push_back(out);
  }
  for (GraphLine& l : g.lines) {
    if (const std::size_t colon = l.text.find(": \"");
        colon != std::string_view::npos && annotation_at(l.text, colon)) {
      const std::size_t close = l.text.find("\" = ", colon);
      if (close != std::string_view::npos) {
        const std::string_view name = l.text.substr(0, colon);
        GraphLine body;
        body.text = l.text.substr(close + 2);  // "= call(…)"
        hash_line(body);
        l.exact = mix(body.exact, value_name(name));
        l.structure = body.structure;
        l.operation = body.operation;
        l.numbers = body.numbers;
        continue;
      }
    }
    hash_line(l);
  }
  mark_size_checks(g.lines);
  return g;
}

double similarity(const GraphText& a, const GraphText& b) {
  if (a.lines.empty() || b.lines.empty()) return a.lines.empty() && b.lines.empty() ? 1 : 0;
  std::unordered_map<std::uint64_t, int> exact;
  std::unordered_map<std::uint64_t, int> structure;
  exact.reserve(a.lines.size());
  structure.reserve(a.lines.size());
  const auto computes = [](const GraphLine& l) { return l.text.substr(0, 6) != "return"; };
  double total = 0;
  for (const GraphLine& l : a.lines) {
    if (!computes(l)) continue;
    ++exact[l.exact];
    ++structure[l.structure];
    total += 0.5;
  }
  double same_exact = 0;
  double same_structure = 0;
  for (const GraphLine& l : b.lines) {
    if (!computes(l)) continue;
    total += 0.5;
    if (auto i = exact.find(l.exact); i != exact.end() && i->second-- > 0) ++same_exact;
    if (auto i = structure.find(l.structure); i != structure.end() && i->second-- > 0) ++same_structure;
  }
  return total == 0 ? 1 : (2 * same_structure + same_exact) / (3 * total);
}

std::pair<std::string, std::string> in_sight(const std::string& a, const std::string& b, std::size_t width) {
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (head > 0 && std::string_view(" ([,").find(a[head - 1]) == std::string_view::npos) --head;
  if (std::max(characters(a), characters(b)) <= width || head <= width / 2)
    return {shorten(a, width), shorten(b, width)};
  const std::size_t rest = std::max(characters(a.substr(head)), characters(b.substr(head)));
  const std::string begin =
      shorten(std::string_view(a).substr(0, head), std::clamp(width - std::min(rest, width), width / 3, width / 2));
  const auto cut = [&](const std::string& s) { return shorten(begin + s.substr(head), width); };
  return {cut(a), cut(b)};
}

}  // namespace keyhole::explain_detail
