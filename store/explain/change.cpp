// SPDX-License-Identifier: Apache-2.0
#include "change.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "keyhole/key/debug_line.h"
#include "keyhole/key/tensor_metadata.h"

namespace keyhole::explain_detail {

std::string_view Change::attr() const {
  return split_component_name(name()).attr;
}
std::string_view Change::index() const {
  return split_component_name(name()).index;
}

std::vector<Change> differences(const std::vector<ComponentPtr>& before, const std::vector<ComponentPtr>& after) {
  std::vector<Change> out;
  std::size_t i = 0;
  for (; i < before.size() && i < after.size() && before[i]->name == after[i]->name; ++i) {
    if (before[i] != after[i] && before[i]->digest != after[i]->digest) out.push_back({before[i], after[i]});
  }
  if (i == before.size() && i == after.size()) return out;
  std::unordered_map<std::string_view, ComponentPtr> rest;
  rest.reserve(before.size() - i);
  for (std::size_t k = i; k < before.size(); ++k) rest.emplace(before[k]->name, before[k]);
  for (std::size_t k = i; k < after.size(); ++k) {
    const auto found = rest.find(after[k]->name);
    if (found == rest.end()) {
      out.push_back({nullptr, after[k]});
      continue;
    }
    if (found->second != after[k] && found->second->digest != after[k]->digest)
      out.push_back({found->second, after[k]});
    found->second = nullptr;
  }
  for (std::size_t k = i; k < before.size(); ++k) {
    const auto found = rest.find(before[k]->name);
    if (found->second == before[k]) out.push_back({before[k], nullptr});
  }
  return out;
}

namespace {

struct NameClass {
  std::string_view attr;  ///< a whole attribute
  std::string_view cause_class;
};
// Attributes of FxGraphHashDetails and AOTAutogradCacheDetails of PyTorch 2.13.
constexpr std::array<NameClass, 41> kClasses = {{
    {"gm", "graph"},
    {"aot_config", "graph"},
    {"example_inputs", "shape"},
    {"cache_key_tag", "tag"},
    {"inductor_config", "config"},
    {"inductor_config_comms", "config"},
    {"custom_backend_codegen_configs", "config"},
    {"autograd_config", "config"},
    {"dynamo_config", "config"},
    {"provenance_tracking_level", "config"},
    {"precompile_enabled", "config"},
    {"cuda_matmul_settings", "config"},
    {"cudagraph_override", "config"},
    {"cudagraph_annotation", "config"},
    {"region_activation_memory_budget", "config"},
    {"var_to_hint_override", "shape"},
    {"user_defined_triton_source", "kernel_source"},
    {"user_defined_kernel_source", "kernel_source"},
    {"default_cuda_device_index", "device"},
    {"system_info", "device"},
    {"deterministic_algorithms", "determinism"},
    {"deterministic_algorithms_settings", "determinism"},
    {"cpp_runtime_thread_count", "threads"},
    {"default_dtype", "default_dtype"},
    {"torch_version", "version"},
    {"grad_enabled", "grad_mode"},
    {"autocast_state", "config"},
    {"autocast_enabled", "config"},
    {"pre_grad_custom_pass", "custom_pass"},
    {"post_grad_custom_pre_pass", "custom_pass"},
    {"post_grad_custom_post_pass", "custom_pass"},
    {"joint_custom_pre_pass", "custom_pass"},
    {"joint_custom_post_pass", "custom_pass"},
    {"_pre_fusion_custom_pass", "custom_pass"},
    {"_post_fusion_custom_pass", "custom_pass"},
    {"_fuse_ddp_communication_passes", "custom_pass"},
    {"custom_backend_passes", "custom_pass"},
    {"_custom_partitioner_fn", "custom_pass"},
    {"custom_estimator_solver_uuids", "custom_pass"},
    {"saved_tensors_hooks_fx_wrap_cache_hashes", "custom_pass"},
    {"sac_context_fn_hash", "custom_pass"},
}};

bool contains(std::string_view s, std::string_view what) {
  return s.find(what) != std::string_view::npos;
}

}  // namespace

std::string_view class_of(std::string_view name) {
  const ComponentName n = split_component_name(name);
  if (n.attr == "inductor_config" && n.index == "deterministic") return "determinism";
  if (n.attr == "system_info" && n.index == "version") return "version";
  if (n.attr == "fx_kwargs") {
    if (n.index == "is_inference") return "grad_mode";
    if (n.index == "is_backward" || n.index == "static_input_idxs" || n.index == "boxed_forward_device_index")
      return "graph";
    return "config";
  }
  for (const NameClass& c : kClasses) {
    if (n.attr == c.attr) return c.cause_class;
  }
  // Keys of other producers, by the words that their names use.
  if (n.attr == "env" || contains(n.attr, "environ")) return "env";
  if (contains(n.attr, "custom_pass") || contains(n.attr, "_pass")) return "custom_pass";
  if (contains(n.attr, "source") || contains(n.attr, "kernel")) return "kernel_source";
  if (contains(n.attr, "version") || contains(n.attr, "compiler") || contains(n.attr, "toolkit")) return "version";
  if (contains(n.attr, "device") || contains(n.attr, "arch") || contains(n.attr, "gpu")) return "device";
  if (contains(n.attr, "determinis")) return "determinism";
  if (contains(n.attr, "dtype")) return "dtype";
  if (contains(n.attr, "shape")) return "shape";
  if (contains(n.attr, "graph") || n.attr == "code") return "graph";
  if (contains(n.attr, "tag")) return "tag";
  return "config";
}

namespace {

/// Fields of a tensor in the order in which they explain: with another shape the strides differ too.
Narrowed narrow_tensor(const TensorMetadata& a, const TensorMetadata& b,
                       std::vector<std::pair<std::string, std::string>>* numbers) {
  Narrowed n;
  const auto set = [&](const char* cls, const char* aspect, std::string before, std::string after) {
    if (n.cause_class.empty()) {
      n.cause_class = cls;
      n.aspect = aspect;
      n.before = std::move(before);
      n.after = std::move(after);
    } else {  // a second field: shown, the first one names the class
      n.before += ' ' + before;
      n.after += ' ' + after;
    }
  };
  if (a.shape != b.shape) {
    set("shape", "shape", a.shape_text(), b.shape_text());
    if (numbers != nullptr && a.shape.size() == b.shape.size()) {
      for (std::size_t i = 0; i < a.shape.size(); ++i) {
        if (!(a.shape[i] == b.shape[i])) numbers->emplace_back(a.shape[i].text(), b.shape[i].text());
      }
    }
  }
  if (a.dtype != b.dtype) set("dtype", "dtype", a.dtype, b.dtype);
  if (a.device_type != b.device_type || a.device_index != b.device_index)
    set("device", "device", a.device_text(), b.device_text());
  if (a.layout != b.layout) set("stride", "layout", a.layout, b.layout);
  if (a.shape == b.shape && a.stride != b.stride) set("stride", "stride", a.stride_text(), b.stride_text());
  if (a.requires_grad != b.requires_grad)
    set("requires_grad", "requires_grad", a.requires_grad ? "True" : "False", b.requires_grad ? "True" : "False");
  if (!n.cause_class.empty()) return n;
  const auto x = a.fields();
  const auto y = b.fields();
  for (std::size_t i = 0; i < x.size() && i < y.size(); ++i) {
    if (x[i].second == y[i].second) continue;
    const std::string& field = x[i].first;
    const char* cls = field == "is_inference"                                              ? "grad_mode"
                      : field == "is_quantized" || field == "is_conj" || field == "is_neg" ? "dtype"
                                                                                           : "stride";
    set(cls, field.c_str(), x[i].second, y[i].second);
  }
  if (n.cause_class.empty()) {  // equal metadata under another digest: the values are in the digest only
    n.cause_class = "constant";
    n.aspect = "value";
  }
  return n;
}

/// Keeps what differs of two long texts, on word boundaries, with a little around it.
void narrow_text(std::string& before, std::string& after) {
  constexpr std::size_t kWhole = 60;
  constexpr std::size_t kAround = 12;
  if (before.size() <= kWhole && after.size() <= kWhole) return;
  std::size_t head = 0;
  const std::size_t shorter = std::min(before.size(), after.size());
  while (head < shorter && before[head] == after[head]) ++head;
  std::size_t tail = 0;
  while (tail < shorter - head && before[before.size() - 1 - tail] == after[after.size() - 1 - tail]) ++tail;
  const auto boundary = [](char c) { return c == ' ' || c == ',' || c == '(' || c == '[' || c == '{'; };
  std::size_t from = head > kAround ? head - kAround : 0;
  while (from > 0 && !boundary(before[from - 1]) && head - from < 3 * kAround) --from;
  while (from > 0 && (static_cast<unsigned char>(before[from]) & 0xC0U) == 0x80U) --from;
  const auto cut = [&](std::string& s) {
    std::size_t to = std::min(s.size(), s.size() - tail + 2);
    while (to < s.size() && (static_cast<unsigned char>(s[to]) & 0xC0U) == 0x80U) ++to;
    s = (from > 0 ? "…" : "") + s.substr(from, to - from) + (to < s.size() ? "…" : "");
  };
  cut(before);
  cut(after);
}

bool readable(std::string_view s) {
  std::size_t bad = 0;
  for (std::size_t i = 0; i < s.size(); ++i) {
    const auto c = static_cast<unsigned char>(s[i]);
    if (s.substr(i, 3) == "\xEF\xBF\xBD" || (c < 0x20 && c != '\n' && c != '\t')) ++bad;
  }
  return bad == 0;
}

}  // namespace

Narrowed narrow(const Change& change, std::vector<std::pair<std::string, std::string>>* numbers) {
  const std::string_view a = change.before != nullptr ? std::string_view(change.before->text) : std::string_view();
  const std::string_view b = change.after != nullptr ? std::string_view(change.after->text) : std::string_view();
  Narrowed n;
  if (change.attr() == "example_inputs") {
    const auto x = change.before != nullptr ? parse_tensor_metadata(a) : std::nullopt;
    const auto y = change.after != nullptr ? parse_tensor_metadata(b) : std::nullopt;
    if (x && y) {
      n = narrow_tensor(x->metadata, y->metadata, numbers);
      if (n.aspect == "value" && x->values != y->values) {
        n.before = x->values;
        n.after = y->values;
        narrow_text(n.before, n.after);
      }
      return n;
    }
    const auto brief = [](const std::optional<TensorText>& t, std::string_view text) {
      if (t) return t->metadata.shape_text() + ' ' + t->metadata.dtype;
      if (const auto symbol = parse_symbol_text(text)) return std::string(*symbol);
      return std::string(text);
    };
    n.cause_class = x || y || parse_symbol_text(a) || parse_symbol_text(b) ? "shape" : "constant";
    n.before = change.before != nullptr ? brief(x, a) : "";
    n.after = change.after != nullptr ? brief(y, b) : "";
    narrow_text(n.before, n.after);
    return n;
  }
  n.cause_class = class_of(change.name());
  if (readable(a) && readable(b)) {
    n.before = a;
    n.after = b;
    narrow_text(n.before, n.after);
  } else if (n.cause_class == "custom_pass") {  // a uuid may be any object, a digest in bytes for one
    const auto brief = [](ComponentPtr c, std::string_view text) {
      if (c == nullptr) return std::string();
      return readable(text) ? std::string(text) : "bytes (digest " + c->digest.base32().substr(0, 8) + "…)";
    };
    n.before = brief(change.before, a);
    n.after = brief(change.after, b);
  }
  return n;
}

}  // namespace keyhole::explain_detail
