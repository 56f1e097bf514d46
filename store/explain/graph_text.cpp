// SPDX-License-Identifier: Apache-2.0
#include "graph_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <unordered_map>
#include <unordered_set>

namespace keyhole::explain_detail {
namespace {

// Alignment costs rows times columns; beyond this only counts are compared. 600 * 600 cells take under a millisecond.
constexpr std::size_t kAlignLimit = 600;

constexpr std::uint64_t kSeed = 0xcbf29ce484222325ULL;
std::uint64_t mix(std::uint64_t h, std::string_view s) {  // FNV-1a, with a mark between tokens
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return (h ^ 0xffU) * 0x100000001b3ULL;
}

bool word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

enum class Kind { word, number, string, other };
struct Token {
  Kind kind;
  std::string_view text;
  bool member = false;  ///< follows a dot
};

/// Splits a line. A dotted name is several words; "1e-05" and "0.5" are one number each.
template <class F>
void tokens(std::string_view s, F&& each) {
  std::size_t i = 0;
  bool dot = false;
  while (i < s.size()) {
    const char c = s[i];
    if (c == ' ' || c == '\t' || c == '\r') {
      ++i;
      continue;
    }
    const std::size_t begin = i;
    if (digit(c)) {
      while (i < s.size() && (word_char(s[i]) || (s[i] == '.' && i + 1 < s.size() && digit(s[i + 1])) ||
                              (s[i] == '.' && (i + 1 == s.size() || !word_char(s[i + 1]))) ||
                              ((s[i] == '-' || s[i] == '+') && (s[i - 1] == 'e' || s[i - 1] == 'E')))) {
        ++i;
      }
      each(Token{Kind::number, s.substr(begin, i - begin), dot});
      dot = false;
    } else if (word_char(c)) {
      while (i < s.size() && word_char(s[i])) ++i;
      each(Token{Kind::word, s.substr(begin, i - begin), dot});
      dot = false;
    } else if (c == '\'' || c == '"') {
      ++i;
      while (i < s.size() && s[i] != c) i += s[i] == '\\' ? 2 : 1;
      i = std::min(i + 1, s.size());
      each(Token{Kind::string, s.substr(begin, i - begin), dot});
      dot = false;
    } else {
      ++i;
      dot = c == '.';
      if (!dot) each(Token{Kind::other, s.substr(begin, 1), false});
    }
  }
}

/// "mul_3" is "mul"; "primals_12" is "primals"; "arg0_1" is "arg". The number only tells which.
std::string_view stem(std::string_view name) {
  std::size_t end = name.size();
  for (;;) {
    std::size_t e = end;
    while (e > 0 && digit(name[e - 1])) --e;
    if (e > 0 && e < end && name[e - 1] == '_') --e;
    if (e == end || e == 0) break;
    end = e;
  }
  return name.substr(0, end);
}

/// Arguments are called by the kind of the graph: arg0_1 in inference, primals_1 in training, p_0 before AOTAutograd.
std::string_view value_name(std::string_view name) {
  const std::string_view s = stem(name);
  return s == "arg" || s == "primals" || s == "p" ? std::string_view("primals") : s;
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.front())) != 0) s.remove_prefix(1);
  while (!s.empty() && std::isspace(static_cast<unsigned char>(s.back())) != 0) s.remove_suffix(1);
  return s;
}

bool dtype_word(std::string_view w) {
  static constexpr std::array<std::string_view, 6> kStems = {"float", "bfloat", "int", "uint", "complex", "bool"};
  if (w == "bool" || w == "half" || w == "double") return true;
  return std::any_of(kStems.begin(), kStems.end(), [&](std::string_view k) {
    return w.size() > k.size() && w.substr(0, k.size()) == k && digit(w[k.size()]);
  });
}

/// A symbolic size: s77, u0.
bool symbol_word(std::string_view w) {
  return w.size() > 1 && (w[0] == 's' || w[0] == 'u') && std::all_of(w.begin() + 1, w.end(), digit);
}

bool reshape_word(std::string_view w) {
  static constexpr std::array<std::string_view, 31> kWords = {
      "view", "_unsafe_view", "reshape", "_reshape_alias", "permute", "transpose", "t", "expand", "clone", "contiguous", "slice", "select", "squeeze", "unsqueeze",
      "alias", "as_strided", "flatten", "unflatten", "convert_element_type", "_to_copy", "to", "detach", "copy", "copy_", "size", "sym_size", "constant_pad_nd",
      "pad", "lift_fresh_copy", "getitem", "tuple"};
  return std::find(kWords.begin(), kWords.end(), w) != kWords.end();
}

/// The last word of the dotted name that the line calls, overload names ("default", "Tensor", "int") skipped.
std::string_view called(std::string_view line) {
  std::vector<std::string_view> path;
  std::string_view found;
  bool assigned = line.find(" = ") == std::string_view::npos;
  tokens(line, [&](const Token& t) {
    if (!found.empty()) return;
    if (t.kind == Kind::word || (t.kind == Kind::number && t.member)) {
      if (!t.member) path.clear();
      path.push_back(t.text);
    } else if (t.kind == Kind::other && t.text == "=") {
      assigned = true;
      path.clear();
    } else if (t.kind == Kind::other && t.text == "(" && assigned && !path.empty()) {
      found = path.size() == 5 && path[1] == "ops" ? path[3] : path.back();  // torch.ops.aten.mul.Tensor
    } else {
      path.clear();
    }
  });
  return found;
}

void hash_line(GraphLine& line) {
  std::uint64_t exact = kSeed;
  std::uint64_t structure = kSeed;
  tokens(line.text, [&](const Token& t) {
    switch (t.kind) {
      case Kind::number:
        exact = mix(exact, t.text);
        structure = mix(structure, "#");
        break;
      case Kind::word: {
        exact = mix(exact, t.member ? t.text : value_name(t.text));
        structure = mix(structure, t.member && !dtype_word(t.text) ? t.text : std::string_view(symbol_word(t.text) ? "#" : "@"));
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
  const std::string_view op = called(line.text);
  line.operation = op.empty() ? 0 : mix(kSeed, op);
}

/// What decompositions are full of: tells least of what was written.
bool plain_arithmetic(std::string_view w) {
  static constexpr std::array<std::string_view, 8> kWords = {"mul", "add", "sub", "div", "neg", "sum", "full", "mm"};
  return std::find(kWords.begin(), kWords.end(), w) != kWords.end();
}

/// Removes `: "f32[8, 16]"` after a name: the shape is told by the inputs.
bool annotation_at(std::string_view s, std::size_t i) { return s[i] == ':' && s.substr(i, 3) == ": \""; }

}  // namespace

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
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
      open += static_cast<int>(std::count(line.begin(), line.end(), '(')) - static_cast<int>(std::count(line.begin(), line.end(), ')'));
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
    if (const std::size_t freed = line.find(";  "); freed != std::string_view::npos && line.size() > 7 && line.substr(line.size() - 7) == " = None") {
      line = trim(line.substr(0, freed));
    }
    if (line.find(" = ") == std::string_view::npos && line.substr(0, 6) != "return" && line.find(' ') == std::string_view::npos) continue;  // "GraphModule()"
    const std::size_t self = line.find("= self.");
    if (self != std::string_view::npos) {
      const std::string_view attribute = line.substr(self + 7);
      (attribute.substr(0, 16) == "_tensor_constant" || attribute.substr(0, 7) == "_frozen" || attribute.substr(0, 8) == "lifted_t" ? g.constants : g.submodules) = true;
    }
    // Dynamo's "l_x_ = L_x_" only names an input; the names come with the sources, not with what is computed.
    if (const std::size_t eq = line.find(" = L_"); eq != std::string_view::npos && line.find('(') == std::string_view::npos) continue;
    GraphLine out;
    out.text = line;
    g.lines.push_back(out);
  }
  for (GraphLine& l : g.lines) {
    if (const std::size_t colon = l.text.find(": \""); colon != std::string_view::npos && annotation_at(l.text, colon)) {
      const std::size_t close = l.text.find("\" = ", colon);
      if (close != std::string_view::npos) {
        const std::string_view name = l.text.substr(0, colon);
        GraphLine body;
        body.text = l.text.substr(close + 2);  // "= call(…)"
        hash_line(body);
        l.exact = mix(body.exact, value_name(name));
        l.structure = body.structure;
        l.operation = body.operation;
        continue;
      }
    }
    hash_line(l);
  }
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

namespace {

std::string display(std::string_view line) {
  const std::size_t colon = line.find(": \"");
  if (colon != std::string_view::npos) {
    const std::size_t close = line.find("\" = ", colon);
    if (close != std::string_view::npos) return std::string(line.substr(0, colon)) + std::string(line.substr(close + 1));
  }
  return std::string(line);
}

struct Pair {
  const GraphLine* before;
  const GraphLine* after;
};

/// Aligns two short runs of lines (longest common subsequence of exact hashes); the rest pairs up by structure, then by order.
void align(const std::vector<const GraphLine*>& a, const std::vector<const GraphLine*>& b, std::vector<Pair>& out) {
  const std::size_t n = a.size();
  const std::size_t m = b.size();
  std::vector<std::uint16_t> table((n + 1) * (m + 1), 0);
  const auto at = [&](std::size_t i, std::size_t j) -> std::uint16_t& { return table[i * (m + 1) + j]; };
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t j = m; j-- > 0;) {
      at(i, j) = a[i]->exact == b[j]->exact ? static_cast<std::uint16_t>(at(i + 1, j + 1) + 1) : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  std::vector<const GraphLine*> gone;
  std::vector<const GraphLine*> come;
  const auto flush = [&] {
    // A change of numbers keeps the structure; what is left is paired where both sides call the same.
    std::vector<bool> used(come.size(), false);
    std::vector<Pair> pairs;
    for (const GraphLine* g : gone) {
      std::size_t hit = come.size();
      for (std::size_t k = 0; k < come.size() && hit == come.size(); ++k) {
        if (!used[k] && come[k]->structure == g->structure) hit = k;
      }
      for (std::size_t k = 0; k < come.size() && hit == come.size(); ++k) {
        if (!used[k] && g->operation != 0 && come[k]->operation == g->operation) hit = k;
      }
      if (hit < come.size()) used[hit] = true;
      pairs.push_back({g, hit < come.size() ? come[hit] : nullptr});
    }
    for (std::size_t k = 0; k < come.size(); ++k) {
      if (!used[k]) pairs.push_back({nullptr, come[k]});
    }
    out.insert(out.end(), pairs.begin(), pairs.end());
    gone.clear();
    come.clear();
  };
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < n || j < m) {
    if (i < n && j < m && a[i]->exact == b[j]->exact) {
      flush();
      ++i;
      ++j;
    } else if (i < n && (j == m || at(i + 1, j) >= at(i, j + 1))) {
      gone.push_back(a[i++]);
    } else {
      come.push_back(b[j++]);
    }
  }
  flush();
}

struct TokenChange {
  bool numbers = true, integers = true, dtypes = false, names = true, any = false;
};

/// Compares two lines of equal structure token by token.
TokenChange token_change(std::string_view a, std::string_view b, std::vector<std::pair<std::string, std::string>>& numbers) {
  std::vector<Token> x;
  std::vector<Token> y;
  const auto collect = [](std::string_view s, std::vector<Token>& v) {
    tokens(s, [&](const Token& t) {
      if (t.kind != Kind::other || t.text != "-") v.push_back(t);
    });
  };
  collect(a, x);
  collect(b, y);
  TokenChange c;
  if (x.size() != y.size()) {
    c.numbers = c.integers = c.names = false;
    c.any = true;
    return c;
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i].text == y[i].text) continue;
    if (x[i].kind == Kind::number && y[i].kind == Kind::number) {
      c.any = true;
      c.names = false;
      const bool floating = x[i].text.find_first_of(".e") != std::string_view::npos || y[i].text.find_first_of(".e") != std::string_view::npos;
      if (floating) c.integers = false;
      std::pair<std::string, std::string> p{x[i].text, y[i].text};
      if (numbers.size() < 32 && std::find(numbers.begin(), numbers.end(), p) == numbers.end()) numbers.push_back(std::move(p));
    } else if (x[i].kind == Kind::word && y[i].kind == Kind::word) {
      if (dtype_word(x[i].text) && dtype_word(y[i].text)) {
        c.any = c.dtypes = true;
        c.names = false;
      } else if (!x[i].member && !y[i].member) {
        if (value_name(x[i].text) != value_name(y[i].text)) c.any = true;
        // A size that became a symbol, or the other way round, is told by the inputs.
      } else {
        c.any = true;
        c.numbers = c.integers = c.names = false;
      }
    } else {
      c.any = true;
      c.names = false;
      // A number in the place of a name (s77 for 8): a size.
      const bool size = (x[i].kind == Kind::number && y[i].kind == Kind::word) || (x[i].kind == Kind::word && y[i].kind == Kind::number);
      if (!size) c.numbers = c.integers = false;
    }
  }
  return c;
}

}  // namespace

GraphDifference compare(const GraphText& before, const GraphText& after) {
  GraphDifference d;
  std::size_t head = 0;
  const std::size_t shorter = std::min(before.lines.size(), after.lines.size());
  while (head < shorter && before.lines[head].exact == after.lines[head].exact) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && before.lines[before.lines.size() - 1 - tail].exact == after.lines[after.lines.size() - 1 - tail].exact) ++tail;
  std::vector<const GraphLine*> a;
  std::vector<const GraphLine*> b;
  for (std::size_t i = head; i + tail < before.lines.size(); ++i) a.push_back(&before.lines[i]);
  for (std::size_t i = head; i + tail < after.lines.size(); ++i) b.push_back(&after.lines[i]);
  if (a.empty() && b.empty()) {
    d.same = true;
    return d;
  }
  {
    std::vector<std::uint64_t> x;
    std::vector<std::uint64_t> y;
    for (const GraphLine* l : a) x.push_back(l->exact);
    for (const GraphLine* l : b) y.push_back(l->exact);
    std::sort(x.begin(), x.end());
    std::sort(y.begin(), y.end());
    d.moved_only = x == y;
  }
  std::vector<Pair> pairs;
  if (a.size() <= kAlignLimit && b.size() <= kAlignLimit) {
    align(a, b, pairs);
  } else {  // too long to align: what one side has more often than the other
    std::unordered_map<std::uint64_t, int> count;
    for (const GraphLine* l : a) ++count[l->exact];
    for (const GraphLine* l : b) {
      if (--count[l->exact] < 0) pairs.push_back({nullptr, l});
    }
    for (const GraphLine* l : a) {
      if (count[l->exact] > 0) {
        --count[l->exact];
        pairs.push_back({l, nullptr});
      }
    }
  }
  d.names_only = d.numbers_only = d.integers_only = d.reshapes_only = true;
  static const std::uint64_t kConvert = mix(kSeed, "convert_element_type");
  static const std::uint64_t kToCopy = mix(kSeed, "_to_copy");
  const auto is_return = [](const GraphLine* l) { return l->text.substr(0, 6) == "return"; };
  // A line whose operation the other graph never calls tells most.
  const auto operations = [](const GraphText& g) {
    std::unordered_set<std::uint64_t> set;
    for (const GraphLine& l : g.lines) set.insert(l.operation);
    return set;
  };
  const auto had = operations(before);
  const auto has = operations(after);
  const auto novelty = [&](const GraphLine* l, const std::unordered_set<std::uint64_t>& other) {
    if (l->operation == 0 || other.count(l->operation) > 0) return 0;
    return plain_arithmetic(called(l->text)) ? 1 : 2;
  };
  const Pair* best = nullptr;
  const GraphLine* vanished = nullptr;  // the first operation that only `before` has
  const GraphLine* appeared = nullptr;  // … that only `after` has
  int best_rank = -1;
  for (const Pair& p : pairs) {
    const GraphLine* one = p.after != nullptr ? p.after : p.before;
    int rank;
    if (p.before != nullptr && p.after != nullptr && p.before->structure == p.after->structure) {
      const TokenChange c = token_change(p.before->text, p.after->text, d.numbers);
      if (!c.any) continue;
      ++d.changed;
      d.names_only &= c.names;
      d.numbers_only &= c.numbers;
      d.integers_only &= c.integers && c.numbers;
      d.dtypes |= c.dtypes;
      rank = is_return(one) ? 1 : c.names ? 2 : c.integers ? 4 : 5;
    } else {
      if (p.before != nullptr && p.after != nullptr) {
        ++d.changed;
      } else {
        ++(p.before != nullptr ? d.removed : d.added);
      }
      if (!is_return(one)) d.names_only = d.numbers_only = d.integers_only = false;
      const bool reshape = is_return(one) || reshape_word(called(one->text));
      d.reshapes_only &= reshape;
      if (one->operation == kConvert || one->operation == kToCopy) d.converts = true;
      rank = is_return(one) ? 0 : reshape ? 3 : 6 + (p.after != nullptr ? novelty(p.after, had) : novelty(p.before, has));
      if (vanished == nullptr && p.before != nullptr && novelty(p.before, has) == 2) vanished = p.before;
      if (appeared == nullptr && p.after != nullptr && novelty(p.after, had) == 2) appeared = p.after;
    }
    if (rank > best_rank) {
      best_rank = rank;
      best = &p;
    }
  }
  if (best == nullptr) {
    d.same = true;
    return d;
  }
  if (best->before != nullptr) d.before = display(best->before->text);
  if (best->after != nullptr) d.after = display(best->after->text);
  if (best_rank >= 6 && best->after != nullptr && vanished != nullptr) {
    d.before = display(vanished->text);
    return d;
  }
  if (best_rank >= 6 && best->after == nullptr && appeared != nullptr) {
    d.after = display(appeared->text);
    return d;
  }
  // An operation in the place of another: show both lines.
  if (best->before == nullptr || best->after == nullptr) {
    const auto size = static_cast<std::size_t>(best - pairs.data());
    const bool gone = best->after == nullptr;
    for (std::size_t k = size + 1; k < pairs.size(); ++k) {
      const GraphLine* other = gone ? pairs[k].after : pairs[k].before;
      if ((gone ? pairs[k].before : pairs[k].after) != nullptr || other == nullptr || is_return(other) || reshape_word(called(other->text))) continue;
      (gone ? d.after : d.before) = display(other->text);
      break;
    }
  }
  return d;
}

}  // namespace keyhole::explain_detail
