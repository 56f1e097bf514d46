// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/hash_details.h"

#include <algorithm>

namespace keyhole {
namespace {

using V = KeyValue;
constexpr const char* kCodecache = "torch._inductor.codecache";

// Of passes that must be of PyTorch's pass classes: nothing, an id, or a tuple of these.
V pass_id(const CustomPass& pass) {
  if (pass.kind == CustomPass::Kind::sequence && !pass.passes.empty()) {
    V::Items ids;
    for (const CustomPass& inner : pass.passes) ids.push_back(pass_id(inner));
    return V::tuple(std::move(ids));
  }
  return pass.kind == CustomPass::Kind::graph_pass ? pass.id : V::null();
}

// Of the passes that may also be known by name: the shape of the sequence stays.
V pass_id_or_name(const CustomPass& pass) {
  switch (pass.kind) {
    case CustomPass::Kind::name:
      return pass.name.empty() ? V::null() : V::text(pass.name);
    case CustomPass::Kind::graph_pass:
    case CustomPass::Kind::scheduler_pass:
      return pass.id;
    case CustomPass::Kind::sequence: {
      if (pass.passes.empty()) return V::null();
      V::Items ids;
      for (const CustomPass& inner : pass.passes) ids.push_back(pass_id_or_name(inner));
      return pass.tuple ? V::tuple(std::move(ids)) : V::list(std::move(ids));
    }
    default:
      return V::null();  // a bare callable: the graph is bypassed before this matters
  }
}

bool is_tensor(const V& value) {
  return value.is(V::Kind::tensor) || value.is(V::Kind::tensor_values);
}

// Opaque references become ordinals: the same object the same one.
V::Items without_references(const FxHashInputs& in) {
  V::Items out = in.example_inputs;
  std::vector<std::int64_t> seen;
  for (std::size_t i = 0; i < out.size() && i < in.opaque_identity.size(); ++i) {
    const std::int64_t identity = in.opaque_identity[i];
    if (identity < 0) continue;
    const auto at = std::find(seen.begin(), seen.end(), identity) - seen.begin();
    if (static_cast<std::size_t>(at) == seen.size()) seen.push_back(identity);
    out[i] = V::record(V::reference(kCodecache, "HashableOpaqueValue"), {{"ordinal", V::integer(at)}});
  }
  return out;
}

// Python's order of what a set of options holds: numbers by value, texts by code points, all else by what it prints.
bool python_less(const V& a, const V& b) {
  if (a.is(V::Kind::integer) && b.is(V::Kind::integer) && !a.is_big() && !b.is_big()) return a.number() < b.number();
  if (a.is(V::Kind::real) && b.is(V::Kind::real)) return a.real() < b.real();
  if (a.is(V::Kind::text) && b.is(V::Kind::text)) return a.text() < b.text();
  return a.repr() < b.repr();
}

V::Fields sorted_kwargs(const V::Fields& kwargs) {
  V::Fields out;
  for (const auto& [name, value] : kwargs) {
    if (std::find(kExcludedKwargs.begin(), kExcludedKwargs.end(), name) != kExcludedKwargs.end()) continue;
    if (value.is(V::Kind::set)) {
      V::Items items = value.items();
      std::stable_sort(items.begin(), items.end(), python_less);
      out.emplace_back(name,
                       V::record(V::reference(kCodecache, "OrderedSetHolder"), {{"items", V::list(std::move(items))}}));
    } else {
      out.emplace_back(name, value);
    }
  }
  std::stable_sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return out;
}

V portable(const V::Fields& config, const std::string& choices_uuid) {
  V::Fields out;
  for (const auto& [name, value] : config) {
    if (!config_enters_key(name)) continue;
    const bool choices = name == "inductor_choices_class" && !choices_uuid.empty();
    out.emplace_back(name, choices ? V::text(choices_uuid) : value);
  }
  return V::map(std::move(out));
}

V triton_sources(const std::vector<TritonSource>& sources) {
  V::Items out;
  for (const TritonSource& s : sources)
    out.push_back(V::tuple({V::text(s.source), s.constant_args, s.configs ? V::text(*s.configs) : V::null()}));
  return V::list(std::move(out));
}

void add_cudagraphs(const FxHashInputs& in, DetailFields& out) {
  const auto changes = [&](const std::optional<bool>& half) { return half && *half != in.cudagraphs_default; };
  if (in.cudagraphs_forward == in.cudagraphs_backward && in.cudagraphs_forward) {
    if (changes(in.cudagraphs_forward)) out.emplace_back("cudagraph_override", V::boolean(*in.cudagraphs_forward));
  } else if (changes(in.cudagraphs_forward) || changes(in.cudagraphs_backward)) {
    out.emplace_back("cudagraph_annotation", in.cudagraph_annotation);
  }
}

V reference_of(const std::string& dotted) {
  const std::size_t dot = dotted.rfind('.');
  return dot == std::string::npos ? V::reference("torch", dotted)
                                  : V::reference(dotted.substr(0, dot), dotted.substr(dot + 1));
}

}  // namespace

bool config_enters_key(std::string_view name) {
  return std::none_of(kExcludedConfigPrefixes.begin(), kExcludedConfigPrefixes.end(),
                      [name](std::string_view prefix) { return name.starts_with(prefix); });
}

DetailFields fx_hash_details(const FxHashInputs& in) {
  DetailFields out;
  out.emplace_back("gm", in.gm);
  out.emplace_back("example_inputs", V::list(without_references(in)));
  out.emplace_back("cache_key_tag", V::text(in.cache_key_tag));
  out.emplace_back("fx_kwargs", V::map(sorted_kwargs(in.fx_kwargs)));
  out.emplace_back("user_defined_triton_source", triton_sources(in.triton_sources));
  if (in.accelerator_index && std::none_of(in.example_inputs.begin(), in.example_inputs.end(), is_tensor))
    out.emplace_back("default_cuda_device_index", V::integer(*in.accelerator_index));
  out.emplace_back("deterministic_algorithms_settings",
                   V::tuple({V::boolean(in.deterministic), V::boolean(in.deterministic_warn_only),
                             V::boolean(in.fill_uninitialized_memory)}));
  if (in.configured_threads < 1 && !in.dynamic_threads && in.may_generate_cpu_code)
    out.emplace_back("cpp_runtime_thread_count", V::integer(in.effective_threads));
  out.emplace_back("provenance_tracking_level", V::integer(in.provenance_tracking_level));
  out.emplace_back("default_dtype", reference_of(in.default_dtype));
  out.emplace_back("cuda_matmul_settings",
                   V::tuple({V::text(in.matmul_precision), V::boolean(in.fp16_reduced_precision),
                             V::boolean(in.bf16_reduced_precision)}));
  add_cudagraphs(in, out);
  out.emplace_back("torch_version", V::bytes(in.torch_key));
  out.emplace_back("system_info", system_info(in.gpu));
  out.emplace_back("inductor_config", portable(in.inductor_config, in.inductor_choices_uuid));
  out.emplace_back("inductor_config_comms", portable(in.inductor_config_comms, {}));
  if (!in.pre_grad_early) out.emplace_back("pre_grad_custom_pass", pass_id(in.pre_grad));
  out.emplace_back("post_grad_custom_pre_pass", pass_id(in.post_grad_pre));
  out.emplace_back("precompile_enabled", V::boolean(in.bundled_autograd));
  out.emplace_back("post_grad_custom_post_pass", pass_id(in.post_grad_post));
  out.emplace_back("joint_custom_pre_pass", pass_id(in.joint_pre));
  out.emplace_back("joint_custom_post_pass", pass_id(in.joint_post));
  out.emplace_back("_pre_fusion_custom_pass", pass_id_or_name(in.pre_fusion));
  out.emplace_back("_post_fusion_custom_pass", pass_id_or_name(in.post_fusion));
  out.emplace_back("_fuse_ddp_communication_passes", pass_id_or_name(in.fuse_ddp));
  V::Items backend;
  for (const CustomPass& pass : in.backend_passes) backend.push_back(pass_id(pass));
  out.emplace_back("custom_backend_passes", V::tuple(std::move(backend)));
  out.emplace_back("custom_backend_codegen_configs", V::map(in.backend_codegen_configs));
  out.emplace_back("_custom_partitioner_fn", pass_id(in.partitioner));
  V::Fields hints = in.hint_overrides;
  std::stable_sort(hints.begin(), hints.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  out.emplace_back("var_to_hint_override", V::map(std::move(hints)));
  return out;
}

}  // namespace keyhole
