// SPDX-License-Identifier: Apache-2.0
// Myers' greedy algorithm over hashes of lines, then over words; common prefix and suffix are cut off first, and a
// comparison that would need more than kMaxEdits edits falls back to "all of the middle changed".
#include "inspector/core/text_diff.h"

#include <QHash>
#include <QStringList>
#include <algorithm>

namespace keyhole::inspector {
namespace {

constexpr int kMaxLines = 20'000;
constexpr int kMaxEdits = 1'000;

struct Match {
  int left, right;
};

// The longest common subsequence of two sequences as pairs of indices.
template <class Sequence>
std::vector<Match> align(const Sequence& a, const Sequence& b) {
  const int n = int(a.size()), m = int(b.size());
  int prefix = 0, suffix = 0;
  while (prefix < n && prefix < m && a[prefix] == b[prefix]) ++prefix;
  while (suffix < n - prefix && suffix < m - prefix && a[n - 1 - suffix] == b[m - 1 - suffix]) ++suffix;
  std::vector<Match> matches;
  for (int i = 0; i < prefix; ++i) matches.push_back({i, i});
  const int an = n - prefix - suffix, bm = m - prefix - suffix;
  if (an > 0 && bm > 0) {
    const int limit = std::min(an + bm, kMaxEdits);
    std::vector<std::vector<int>> trace;
    std::vector<int> reach(std::size_t(2 * limit + 3), 0);
    const auto at = [&](std::vector<int>& v, int k) -> int& { return v[std::size_t(k + limit + 1)]; };
    int edits = -1;
    for (int d = 0; d <= limit && edits < 0; ++d) {
      trace.push_back(reach);
      for (int k = -d; k <= d; k += 2) {
        int x = k == -d || (k != d && at(reach, k - 1) < at(reach, k + 1)) ? at(reach, k + 1) : at(reach, k - 1) + 1;
        while (x < an && x - k < bm && a[prefix + x] == b[prefix + x - k]) ++x;
        at(reach, k) = x;
        if (x >= an && x - k >= bm) {
          edits = d;
          break;
        }
      }
    }
    if (edits >= 0) {
      std::vector<Match> middle;
      int x = an, y = bm;
      for (int d = edits; d > 0; --d) {
        std::vector<int>& v = trace[std::size_t(d)];
        const int k = x - y;
        const int from = k == -d || (k != d && at(v, k - 1) < at(v, k + 1)) ? k + 1 : k - 1;
        const int fx = at(v, from), fy = fx - from;
        while (x > fx && y > fy && x > 0 && y > 0 && a[prefix + x - 1] == b[prefix + y - 1])
          --x, --y, middle.push_back({prefix + x, prefix + y});
        x = fx, y = fy;
      }
      while (x > 0 && y > 0) --x, --y, middle.push_back({prefix + x, prefix + y});
      matches.insert(matches.end(), middle.rbegin(), middle.rend());
    }
  }
  for (int i = suffix; i > 0; --i) matches.push_back({n - i, m - i});
  return matches;
}

// Words, numbers, single other characters; runs of spaces are one.
std::vector<Span> words_of(const QString& line) {
  std::vector<Span> words;
  const auto kind = [](QChar c) { return c.isLetterOrNumber() || c == u'_' || c == u'.' ? 1 : c.isSpace() ? 2 : 0; };
  for (int i = 0; i < line.size();) {
    int end = i + 1;
    if (const int k = kind(line[i]); k != 0)
      while (end < line.size() && kind(line[end]) == k) ++end;
    words.push_back({i, end - i});
    i = end;
  }
  return words;
}

void add_span(std::vector<Span>& spans, const Span& span) {
  if (!spans.empty() && spans.back().begin + spans.back().length == span.begin)
    spans.back().length += span.length;
  else
    spans.push_back(span);
}

// How alike two lines are, by their words in common: pairs below a third stand better apart.
bool alike(const QString& a, const QString& b) {
  const auto wa = words_of(a), wb = words_of(b);
  QHash<QStringView, int> seen;
  int words = 0, common = 0;
  for (const Span& w : wa)
    if (!a[w.begin].isSpace()) ++seen[QStringView(a).mid(w.begin, w.length)], ++words;
  for (const Span& w : wb) {
    if (b[w.begin].isSpace()) continue;
    ++words;
    if (auto it = seen.find(QStringView(b).mid(w.begin, w.length)); it != seen.end() && it.value() > 0)
      --it.value(), common += 2;
  }
  return words == 0 || common * 3 >= words;
}

}  // namespace

void mark_words(const QString& left, const QString& right, std::vector<Span>& left_marks,
                std::vector<Span>& right_marks) {
  const auto lw = words_of(left), rw = words_of(right);
  QList<QStringView> a, b;
  for (const Span& w : lw) a << QStringView(left).mid(w.begin, w.length);
  for (const Span& w : rw) b << QStringView(right).mid(w.begin, w.length);
  int i = 0, j = 0;
  auto matches = align(a, b);
  matches.push_back({int(a.size()), int(b.size())});
  for (const Match& m : matches) {
    for (; i < m.left; ++i) add_span(left_marks, lw[std::size_t(i)]);
    for (; j < m.right; ++j) add_span(right_marks, rw[std::size_t(j)]);
    ++i, ++j;
  }
}

std::vector<DiffLine> diff_texts(const QString& left, const QString& right, int context) {
  const QStringList a = left.split(u'\n'), b = right.split(u'\n');
  std::vector<Match> matches;
  if (a.size() <= kMaxLines && b.size() <= kMaxLines) {
    matches = align(a, b);
  } else {
    for (int i = 0; i < std::min(a.size(), b.size()); ++i)
      if (a[i] == b[i]) matches.push_back({i, i});
  }
  matches.push_back({int(a.size()), int(b.size())});
  std::vector<DiffLine> lines;
  int i = 0, j = 0;
  for (const Match& m : matches) {
    const bool even = m.left - i == m.right - j;  // as many lines on both sides: each beside its like
    while (i < m.left || j < m.right) {
      DiffLine line;
      const bool has_left = i < m.left, has_right = j < m.right;
      const bool pair = has_left && has_right && (even || alike(a[i], b[j]));
      line.kind = pair ? DiffLine::Kind::changed : has_left ? DiffLine::Kind::removed : DiffLine::Kind::added;
      if (pair || has_left) line.left = a[i], line.left_number = ++i;
      if (pair || (!has_left && has_right)) line.right = b[j], line.right_number = ++j;
      if (pair) mark_words(line.left, line.right, line.left_marks, line.right_marks);
      if (line.kind == DiffLine::Kind::removed) line.left_marks = {{0, int(line.left.size())}};
      if (line.kind == DiffLine::Kind::added) line.right_marks = {{0, int(line.right.size())}};
      lines.push_back(std::move(line));
    }
    if (m.left < a.size() && m.right < b.size()) {
      DiffLine line;
      line.left = a[m.left], line.right = b[m.right];
      line.left_number = ++i, line.right_number = ++j;
      lines.push_back(std::move(line));
    }
  }
  if (context < 0) return lines;
  std::vector<DiffLine> folded;
  for (std::size_t from = 0; from < lines.size();) {
    std::size_t to = from;
    while (to < lines.size() && lines[to].kind == DiffLine::Kind::same) ++to;
    const auto head = from == 0 ? 0 : std::size_t(context), tail = to == lines.size() ? 0 : std::size_t(context);
    if (to - from > head + tail + 1) {
      folded.insert(folded.end(), lines.begin() + long(from), lines.begin() + long(from + head));
      DiffLine gap;
      gap.kind = DiffLine::Kind::folded;
      gap.folded = int(to - from - head - tail);
      folded.push_back(gap);
      folded.insert(folded.end(), lines.begin() + long(to - tail), lines.begin() + long(to));
    } else {
      folded.insert(folded.end(), lines.begin() + long(from), lines.begin() + long(to));
    }
    if (to < lines.size()) folded.push_back(lines[to++]);
    from = to;
  }
  return folded;
}

}  // namespace keyhole::inspector
