// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keyhole/key/system_info.h"
#include "keyhole/key/torch_pickle.h"

namespace keyhole {

/// A pass that a user puts into the compiler. Only one that is of PyTorch's pass classes and gives an id can be part of
/// a key; a bare callable cannot, and its presence makes a graph uncacheable.
struct CustomPass {
  enum class Kind : std::uint8_t { none, graph_pass, scheduler_pass, callable, name, sequence };
  Kind kind = Kind::none;
  KeyValue id;       ///< of a graph or scheduler pass: what uuid() gives; null: none
  std::string name;  ///< of a pass known by name
  std::vector<CustomPass> passes;
  bool tuple = false;  ///< a sequence written as a tuple, not as a list
};

/// A user's own Triton kernel that the graph calls.
struct TritonSource {
  std::string source;  ///< of the kernel and all that it uses
  KeyValue constant_args;
  std::optional<std::string> configs;  ///< printed, sorted
};

/// What the key of a graph is made of, as the compiler holds it: not yet in order, nothing left out.
struct FxHashInputs {
  KeyValue gm;
  std::vector<KeyValue> example_inputs;
  /// For each example input that is an opaque reference (not a value), which object it is; -1: it is a value. Empty:
  /// all are values.
  std::vector<std::int64_t> opaque_identity;
  std::string cache_key_tag;
  KeyValue::Fields fx_kwargs;
  std::vector<TritonSource> triton_sources;       ///< functional calls first, then mutating ones, module by module
  std::optional<std::int64_t> accelerator_index;  ///< of the current device; absent: no accelerator
  bool deterministic = false, deterministic_warn_only = false, fill_uninitialized_memory = true;
  std::int64_t configured_threads = -1, effective_threads = 1;  ///< config cpp.threads; threads at run time
  bool dynamic_threads = false, may_generate_cpu_code = false;
  std::int64_t provenance_tracking_level = 0;
  std::string default_dtype = "torch.float32";
  std::string matmul_precision = "none";
  bool fp16_reduced_precision = true, bf16_reduced_precision = true;
  /// An annotation on the module, forward and backward; a half that is absent keeps the default.
  std::optional<bool> cudagraphs_forward, cudagraphs_backward;
  bool cudagraphs_default = false;
  KeyValue cudagraph_annotation;  ///< the annotation itself, for where its halves differ
  std::string torch_key;          ///< 32 bytes
  std::optional<GpuInfo> gpu;
  KeyValue::Fields inductor_config, inductor_config_comms;  ///< all values, the excluded ones too
  std::string inductor_choices_uuid;  ///< stands in the place of `inductor_choices_class`; empty: it is not set
  bool pre_grad_early = true;         ///< pre-grad passes ran before the lookup, so they are no part of the key
  bool bundled_autograd = false;
  CustomPass pre_grad, post_grad_pre, post_grad_post, joint_pre, joint_post, pre_fusion, post_fusion, fuse_ddp,
      partitioner;
  std::vector<CustomPass> backend_passes;
  KeyValue::Fields backend_codegen_configs;  ///< per device its portable configuration, as maps
  KeyValue::Fields hint_overrides;           ///< symbol, number
};

/// The details object in PyTorch's order (2.13), with its exclusions and canonical forms.
[[nodiscard]] DetailFields fx_hash_details(const FxHashInputs& inputs);

/// Options of the compile that are left out of keys.
inline constexpr std::array<std::string_view, 2> kExcludedKwargs = {"graph_id", "compile_region_name"};

/// Configuration left out of keys: every name that starts with one of these (longer names too).
inline constexpr std::array<std::string_view, 20> kExcludedConfigPrefixes = {"trace",
                                                                             "cuda.cutlass_dir",
                                                                             "cutlass.cutlass_dir",
                                                                             "xpu.cutlass_dir",
                                                                             "worker_start_method",
                                                                             "compile_threads",
                                                                             "post_grad_custom_post_pass",
                                                                             "post_grad_custom_pre_pass",
                                                                             "joint_custom_pre_pass",
                                                                             "joint_custom_post_pass",
                                                                             "pre_grad_custom_pass",
                                                                             "_fuse_ddp_communication_passes",
                                                                             "_pre_fusion_custom_pass",
                                                                             "cudagraph_policy",
                                                                             "force_disable_cudagraph_TESTING_ONLY",
                                                                             "pre_grad_pass_timing",
                                                                             "fx_graph_cache",
                                                                             "fx_graph_remote_cache",
                                                                             "autotune_local_cache",
                                                                             "autotune_remote_cache"};
/// Whether a configuration value is part of keys.
[[nodiscard]] bool config_enters_key(std::string_view name);

/// What decides, beside the passes of FxHashInputs, whether a graph can be cached at all.
struct BypassFacts {
  bool frozen_parameters = false, freezing_with_caching_allowed = true;
  bool runtime_constant_folding = false, bisecting = false, has_shape_environment = true;
  std::vector<std::string> higher_order_operators;  ///< names, in the order of the graph
  std::vector<std::string> cacheable_by_user;       ///< allow-list: "torch.ops.higher_order.x"
  bool torchbind_attribute = false, mkldnn_tensor = false, backward_state = false;
};
/// Why PyTorch would not cache the graph, in its words; the first reason in its order. Absent: it would.
[[nodiscard]] std::optional<std::string> fx_bypass_reason(const FxHashInputs& inputs, const BypassFacts& facts);

/// Whether graphs with this higher-order operator are cached ("flex_attention": yes, "cond": no).
[[nodiscard]] bool higher_order_operator_cacheable(std::string_view name);

/// What a tree of sources hashes to: modules sorted by dotted name; of each the name, then the bytes; packages entered.
struct SourceTree {
  std::vector<std::string> suffixes = {".py", ".so"};  ///< of files that count; the module's name ends at its first dot
  std::string package_file = "__init__.py";            ///< makes a folder a package; empty: every folder is entered
};
/// Fails (io, where: path) for what cannot be read. Symbolic links are followed; at most 64 folders deep.
[[nodiscard]] Result<Digest> build_code_hash(const std::vector<std::string>& roots, std::string_view prefix = {},
                                             const SourceTree& tree = {});
/// The same for C++ and CUDA sources, by full file name: every folder, .h .hpp .cpp .cu .cuh.
[[nodiscard]] Result<Digest> build_source_hash(const std::vector<std::string>& roots);

}  // namespace keyhole
