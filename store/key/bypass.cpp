// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>

#include "keyhole/key/hash_details.h"

namespace keyhole {
namespace {

constexpr std::array<std::string_view, 11> kCacheableOperators = {"auto_functionalized",
                                                                  "auto_functionalized_v2",
                                                                  "flex_attention",
                                                                  "flex_attention_backward",
                                                                  "invoke_subgraph",
                                                                  "tag_activation_checkpoint",
                                                                  "triton_kernel_wrapper_functional",
                                                                  "triton_kernel_wrapper_mutation",
                                                                  "run_with_rng_state",
                                                                  "run_and_save_rng_state",
                                                                  "graphsafe_run_with_rng_state"};

bool identified(const CustomPass& pass) {
  if (pass.kind == CustomPass::Kind::none) return true;
  if (pass.kind == CustomPass::Kind::sequence) return std::all_of(pass.passes.begin(), pass.passes.end(), identified);
  const bool empty =
      pass.id.is(KeyValue::Kind::null) ||
      ((pass.id.is(KeyValue::Kind::text) || pass.id.is(KeyValue::Kind::bytes)) && pass.id.text().empty());
  return pass.kind == CustomPass::Kind::graph_pass && !empty;
}

bool is_scheduler_pass(const CustomPass& pass) {
  return pass.kind == CustomPass::Kind::none || pass.kind == CustomPass::Kind::scheduler_pass;
}

bool holds_callable(const CustomPass& pass) {
  return pass.kind == CustomPass::Kind::callable || pass.kind == CustomPass::Kind::scheduler_pass ||
         std::any_of(pass.passes.begin(), pass.passes.end(), holds_callable);
}

// A rule as PyTorch checks it: when it applies, and the reason that it gives.
struct BypassRule {
  bool (*applies)(const FxHashInputs&, const BypassFacts&);
  const char* reason;
};
using In = const FxHashInputs&;
using Facts = const BypassFacts&;

// In order. The operators of the graph are looked at between these two tables.
constexpr BypassRule kBeforeGraph[] = {
    {[](In in, Facts) { return !in.pre_grad_early && !identified(in.pre_grad); }, "Unsupported pre grad custom pass"},
    {[](In in, Facts) { return !identified(in.post_grad_pre) || !identified(in.post_grad_post); },
     "Unsupported post grad custom pass"},
    {[](In in, Facts) { return !identified(in.joint_pre) || !identified(in.joint_post); },
     "Unsupported joint custom pass"},
    {[](In in, Facts) { return !is_scheduler_pass(in.pre_fusion); }, "Unsupported _pre_fusion_custom_pass"},
    {[](In in, Facts) { return !is_scheduler_pass(in.post_fusion); }, "Unsupported _post_fusion_custom_pass"},
    {[](In in, Facts) { return holds_callable(in.fuse_ddp); }, "Unsupported _fuse_ddp_communication_pass"},
    {[](In, Facts f) { return f.frozen_parameters && !f.freezing_with_caching_allowed; },
     "Skipping graph with frozen constants"},
    {[](In, Facts f) { return f.runtime_constant_folding; },
     "Runtime constant folding can introduce constants that aren't static across runs"},
    {[](In, Facts f) { return f.bisecting; }, "compiler bisector enabled"},
    {[](In, Facts f) { return !f.has_shape_environment; }, "No shape env"},
};
constexpr BypassRule kBehindGraph[] = {
    {[](In, Facts f) { return f.torchbind_attribute; }, "Can't cache torchbind objects"},
    {[](In, Facts f) { return f.mkldnn_tensor; }, "mkldnn tensors unpickleable"},
    {[](In, Facts f) { return f.backward_state; }, "Reduce unsupported"},
};

}  // namespace

bool higher_order_operator_cacheable(std::string_view name) {
  return std::find(kCacheableOperators.begin(), kCacheableOperators.end(), name) != kCacheableOperators.end();
}

std::optional<std::string> fx_bypass_reason(const FxHashInputs& inputs, const BypassFacts& facts) {
  for (const BypassRule& rule : kBeforeGraph)
    if (rule.applies(inputs, facts)) return rule.reason;
  for (const std::string& name : facts.higher_order_operators) {
    const auto& allowed = facts.cacheable_by_user;
    if (!higher_order_operator_cacheable(name) &&
        std::find(allowed.begin(), allowed.end(), "torch.ops.higher_order." + name) == allowed.end())
      return "Can't cache HigherOrderOperator: " + name;
  }
  for (const BypassRule& rule : kBehindGraph)
    if (rule.applies(inputs, facts)) return rule.reason;
  return std::nullopt;
}

}  // namespace keyhole
