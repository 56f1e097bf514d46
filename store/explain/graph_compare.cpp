// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "graph_text.h"
#include "graph_tokens.h"

namespace keyhole::explain_detail {
namespace {

/// Names of the arguments, in order. Those that AOTAutograd numbers (primals_1) name nothing.
std::vector<std::string_view> arguments(std::string_view signature) {
  std::vector<std::string_view> out;
  const std::size_t open = signature.find('(');
  bool begins = false;  // a name may stand here
  int depth = 0;
  for (std::size_t i = open; i < signature.size();) {
    const char c = signature[i];
    if (c == '"') {
      i = std::min(signature.find('"', i + 1), signature.size() - 1) + 1;
      continue;
    }
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (depth == 1 && (c == '(' || c == ',')) begins = true;
    std::size_t n = 0;
    while (i + n < signature.size() && word_char(signature[i + n])) ++n;
    if (begins && n > 0) {
      const std::string_view name = signature.substr(i, n);
      if (name != "self" && value_name(name) != "primals") out.push_back(name);
      begins = false;
    }
    i += std::max<std::size_t>(n, 1);
  }
  return out;
}

// Alignment costs rows times columns; beyond this only counts are compared. 600 * 600 cells take under a millisecond.
constexpr std::size_t kAlignLimit = 600;

/// What decompositions are full of: tells least of what was written.
bool plain_arithmetic(std::string_view w) {
  static constexpr std::array<std::string_view, 8> kWords = {"mul", "add", "sub", "div", "neg", "sum", "full", "mm"};
  return std::find(kWords.begin(), kWords.end(), w) != kWords.end();
}

std::string display(std::string_view line) {
  const std::size_t colon = line.find(": \"");
  if (colon != std::string_view::npos) {
    const std::size_t close = line.find("\" = ", colon);
    if (close != std::string_view::npos)
      return std::string(line.substr(0, colon)) + std::string(line.substr(close + 1));
  }
  return std::string(line);
}

struct Pair {
  const GraphLine* before;
  const GraphLine* after;
};

/// Aligns two short runs of lines (longest common subsequence of exact hashes); the rest pairs up by structure, then by
/// order.
void align(const std::vector<const GraphLine*>& a, const std::vector<const GraphLine*>& b, std::vector<Pair>& out) {
  const std::size_t n = a.size();
  const std::size_t m = b.size();
  std::vector<std::uint16_t> table((n + 1) * (m + 1), 0);
  const auto at = [&](std::size_t i, std::size_t j) -> std::uint16_t& { return table[i * (m + 1) + j]; };
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t j = m; j-- > 0;) {
      at(i, j) = a[i]->exact == b[j]->exact ? static_cast<std::uint16_t>(at(i + 1, j + 1) + 1)
                                            : std::max(at(i + 1, j), at(i, j + 1));
    }
  }
  std::vector<const GraphLine*> gone;
  std::vector<const GraphLine*> come;
  const auto flush = [&] {
    // Lines that only take another value's result go first, then those that change a number alone; what is left is
    // paired where both sides call the same.
    std::vector<std::size_t> partner(gone.size(), come.size());
    std::vector<bool> used(come.size(), false);
    const auto pair_up = [&](auto&& alike) {
      for (std::size_t g = 0; g < gone.size(); ++g) {
        for (std::size_t k = 0; k < come.size() && partner[g] == come.size(); ++k) {
          if (used[k] || !alike(*gone[g], *come[k])) continue;
          partner[g] = k;
          used[k] = true;
        }
      }
    };
    const auto same_structure = [](const GraphLine& x, const GraphLine& y) { return x.structure == y.structure; };
    pair_up([&](const GraphLine& x, const GraphLine& y) { return same_structure(x, y) && x.numbers == y.numbers; });
    pair_up(same_structure);
    pair_up([](const GraphLine& x, const GraphLine& y) { return x.operation != 0 && x.operation == y.operation; });
    std::vector<Pair> pairs;
    for (std::size_t g = 0; g < gone.size(); ++g)
      pairs.push_back({gone[g], partner[g] < come.size() ? come[partner[g]] : nullptr});
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
TokenChange token_change(std::string_view a, std::string_view b,
                         std::vector<std::pair<std::string, std::string>>& numbers) {
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
      const bool floating = x[i].text.find_first_of(".e") != std::string_view::npos ||
                            y[i].text.find_first_of(".e") != std::string_view::npos;
      if (floating) c.integers = false;
      std::pair<std::string, std::string> p{x[i].text, y[i].text};
      if (numbers.size() < 32 && std::find(numbers.begin(), numbers.end(), p) == numbers.end())
        numbers.push_back(std::move(p));
    } else if (x[i].kind == Kind::word && y[i].kind == Kind::word) {
      if (dtype_word(x[i].text) && dtype_word(y[i].text)) {
        c.any = c.dtypes = true;
        c.names = false;
      } else if (constant_word(x[i].text) || constant_word(y[i].text)) {
        c.any = true;
        c.numbers = c.integers = c.names = false;
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
      const bool size = (x[i].kind == Kind::number && y[i].kind == Kind::word) ||
                        (x[i].kind == Kind::word && y[i].kind == Kind::number);
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
  while (tail < shorter - head &&
         before.lines[before.lines.size() - 1 - tail].exact == after.lines[after.lines.size() - 1 - tail].exact)
    ++tail;
  std::vector<const GraphLine*> a;
  std::vector<const GraphLine*> b;
  for (std::size_t i = head; i + tail < before.lines.size(); ++i) a.push_back(&before.lines[i]);
  for (std::size_t i = head; i + tail < after.lines.size(); ++i) b.push_back(&after.lines[i]);
  {
    auto x = arguments(before.signature);
    auto y = arguments(after.signature);
    if (x != y) {
      std::sort(x.begin(), x.end());
      std::sort(y.begin(), y.end());
      d.renamed_in_order = x.size() > 1 && x == y;
    }
  }
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
      // Another number of results: a training graph hands other values to its backward.
      if (is_return(one))
        d.names_only = false, d.results = true;
      else
        d.names_only = d.numbers_only = d.integers_only = false;
      const bool reshape = is_return(one) || one->of_sizes || reshape_word(called(one->text));
      d.reshapes_only &= reshape;
      if (one->operation == kConvert || one->operation == kToCopy) d.converts = true;
      rank = is_return(one) ? 0
             : reshape      ? 3
                            : 6 + (p.after != nullptr ? novelty(p.after, had) : novelty(p.before, has));
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
    const auto here = static_cast<std::size_t>(best - pairs.data());
    const bool gone = best->after == nullptr;
    const auto counterpart = [&](std::size_t k) -> const GraphLine* {
      if (k >= pairs.size() || (gone ? pairs[k].before : pairs[k].after) != nullptr) return nullptr;
      const GraphLine* other = gone ? pairs[k].after : pairs[k].before;
      return other == nullptr || is_return(other) || reshape_word(called(other->text)) ? nullptr : other;
    };
    for (std::size_t away = 1; away < pairs.size(); ++away) {  // the nearest one; what is gone stands before what came
      const GraphLine* other = counterpart(here + away);
      if (other == nullptr && away <= here) other = counterpart(here - away);
      if (other == nullptr) continue;
      (gone ? d.after : d.before) = display(other->text);
      break;
    }
  }
  return d;
}

}  // namespace keyhole::explain_detail
