// SPDX-License-Identifier: Apache-2.0
// The work of find_causes(), in two files: the environment and the telling (causes.cpp), graph and inputs
// (causes_graph.cpp).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "causes.h"
#include "change.h"
#include "evidence.h"
#include "graph_text.h"

namespace keyhole::explain_detail {

/// A component that differs, on its way to a cause.
struct CauseItem {
  Change change;
  Narrowed narrowed;
  Role role = Role::root;
  std::string note;
  int rank = 0;  ///< order among roots
};

struct InputCounts {
  std::size_t before = 0, after = 0;
  bool reordered = false;
  bool symbolic = false;  ///< their number differs by symbolic sizes alone
  [[nodiscard]] bool other_count() const { return before != after && !symbolic; }
};

class CauseFinder {
 public:
  CauseFinder(const Case& c, const LookupRow& baseline, const std::vector<Change>& changes, Evidence& evidence);
  Causes run();

 private:
  /// There the component gm is the graph that Dynamo captured.
  [[nodiscard]] bool aot_layer() const { return case_.subject.record.layer == Layer::aot_autograd; }
  CauseItem* find(std::string_view name);
  CauseItem* find_attr(std::string_view attr);
  void environment();
  bool set_by_another(std::string_view flag);
  void tell_training(CauseItem& i);
  void tell_functorch(CauseItem& i);
  void tell_unstable();
  static bool free_text(const CauseItem& item);
  static bool looks_made_up(const CauseItem& item);
  /// In how many runs the component was seen with this graph, if no two runs agree on it; else 0.
  std::size_t distinct_runs(const CauseItem& item) const;
  void graph_and_inputs();
  void read_graphs(const CauseItem& gm);
  [[nodiscard]] bool follows_inputs(const GraphDifference& d, const std::vector<CauseItem*>& in) const;
  /// Sizes became symbols, or symbols sizes: the tensors are the same ones, what stands between them is not.
  void tell_precompile(CauseItem& aot, CauseItem* gm);
  CauseItem* find_symbolic(const std::vector<CauseItem*>& in);
  bool set_behind_the_program(const std::vector<CauseItem*>& in);
  Role graph_role(const std::vector<CauseItem*>& in, bool environment);
  void tell_graph(CauseItem& gm, const std::vector<CauseItem*>& in);
  /// The digest differs, what is printed does not.
  void hidden_change(CauseItem& gm);
  /// Dynamo captured the same graph and no other component tells why Inductor got another one: modes and functorch
  /// flags act in between.
  void unseen_setting(CauseItem& gm, const std::vector<CauseItem*>& in);
  Causes collect();

  const Case& case_;
  const LookupRow& baseline_;
  Evidence& evidence_;
  InputCounts inputs_;
  std::vector<CauseItem> items_;
  std::vector<std::pair<std::string, std::string>> sizes_;
  GraphText before_, after_;
  GraphDifference difference_;
  bool texts_equal_ = false;
  std::string story_, counts_, program_;
};

/// A component other than the graph, its inputs and their sources.
bool names_environment(const CauseItem& i);
/// What may change the graph that Inductor gets although the program is the same.
bool may_change_graph(const CauseItem& i);

}  // namespace keyhole::explain_detail
