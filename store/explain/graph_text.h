// SPDX-License-Identifier: Apache-2.0
// Graph code as PyTorch prints it (`def forward(self, …):` and a line an operation): how alike two graphs are, and what
// changed between them. Names of intermediate values are numbered through the graph (`mul_3`), so one more operation
// renames all that follow: lines are compared by what they compute, with values named by their stem (`mul`).
// Everything is linear in the text but the alignment of the changed middle part, which is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyhole::explain_detail {

struct GraphLine {
  std::string_view text;        ///< as printed, trimmed, without the `;  x = None` that frees values
  std::uint64_t exact = 0;      ///< hash with values named by their stem
  std::uint64_t structure = 0;  ///< the same with all names and numbers masked: what is computed, not on which sizes
  std::uint64_t operation = 0;  ///< hash of what the line calls ("aten.mul.Tensor"); 0: it calls nothing
  std::uint64_t numbers = 0;    ///< hash of its numbers, in order
  bool of_sizes = false;        ///< checks a size at run time, computes nothing
};

struct GraphText {
  std::vector<GraphLine> lines;  ///< the operations, in order
  std::string_view signature;    ///< the `def forward(…)` line
  std::size_t inputs = 0;        ///< arguments of it, self left out
  bool constants = false;        ///< reads constants of its module (`self._tensor_constant0`)
  bool submodules = false;       ///< calls or passes graphs of its module (`self.sdpa_score0`, `cond_true_0`)
};

/// Reads what `text` holds; the views point into it. Shape annotations (`: "f32[8]"`) and comments are left out.
GraphText read_graph(std::string_view text);

/// 0 to 1: the share of lines that both have (as multisets), structure and exact text weighed 2 to 1.
double similarity(const GraphText& a, const GraphText& b);

/// How two graphs differ.
struct GraphDifference {
  std::string before, after;  ///< the first telling line on both sides, narrowed; empty: nothing there on that side
  std::size_t removed = 0, added = 0, changed = 0;  ///< lines
  bool same = false;              ///< no line differs in what it computes (names of values and arguments aside)
  bool names_only = false;        ///< lines differ in the names of values alone
  bool numbers_only = false;      ///< every changed line differs in numbers alone (or dtype words, where `dtypes`)
  bool integers_only = false;     ///< numbers_only, and all of them are integers
  bool dtypes = false;            ///< words like torch.float32 differ
  bool moved_only = false;        ///< the same lines in another order
  bool renamed_in_order = false;  ///< the arguments have the same names in another order
  bool reshapes_only = false;     ///< what was added or removed only views, copies or converts (no arithmetic)
  bool results = false;           ///< the graph returns another number of values
  bool converts = false;          ///< conversions between dtypes were added or removed
  std::vector<std::pair<std::string, std::string>> numbers;  ///< distinct pairs that changed, at most 32
};
GraphDifference compare(const GraphText& before, const GraphText& after);

/// The text cut to `limit` characters (not bytes), with an ellipsis where it was longer; newlines become spaces.
std::string shorten(std::string_view text, std::size_t limit);
/// Two long texts that begin alike are cut in the middle, so that what differs stays in sight.
std::pair<std::string, std::string> in_sight(const std::string& a, const std::string& b, std::size_t width);
std::size_t characters(std::string_view text);

}  // namespace keyhole::explain_detail
