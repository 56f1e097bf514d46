// SPDX-License-Identifier: Apache-2.0
// What the texts of two compiles say about a difference that the key's own components hide: the graph as Dynamo
// captured it, the modes that Dynamo's guards hold, the functorch configuration.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "graph_text.h"
#include "keyhole/explain/explain.h"

namespace keyhole::explain_detail {

class Evidence {
 public:
  Evidence(const Case& c, const LookupRow& baseline) : case_(c), baseline_(baseline) {}

  /// The difference of the graphs as the user's program gave them; absent where one of them was not recorded.
  const std::optional<GraphDifference>& user_graph();

  struct Setting {
    std::string name, before, after;
  };
  /// Modes that differ: "grad_mode", "autocast_state", "default_dtype" … Empty: none, or not recorded.
  const std::vector<Setting>& modes();
  /// Flags of torch._functorch.config that differ.
  const std::vector<Setting>& functorch();
  /// Whether torch._dynamo.config.caching_precompile was on in each compile; false where it was not recorded.
  std::pair<bool, bool> precompile() const;
  /// Inputs that require grad in one compile only; "L['x']".
  const std::vector<Setting>& requires_grad();

 private:
  /// `single`: nothing where a compile has several, of which it cannot be told which one a lookup belongs to.
  std::pair<std::string, std::string> both(TextKind kind, bool single = false) const;

  const Case& case_;
  const LookupRow& baseline_;
  bool have_graph_ = false, have_guards_ = false, have_functorch_ = false;
  std::optional<GraphDifference> graph_;
  std::vector<Setting> modes_, functorch_, requires_grad_;
};

}  // namespace keyhole::explain_detail
