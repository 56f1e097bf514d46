// SPDX-License-Identifier: Apache-2.0
// Makes lookups as PyTorch records them, in a few words.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "keyhole/base/pool.h"
#include "keyhole/explain/explain.h"

namespace keyhole::testing {

/// A digest that stands for a content: equal contents, equal digests.
inline Digest digest_of(std::string_view content) {
  Digest d;
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (std::size_t i = 0; i < d.bytes.size(); ++i) {
    for (const char c : content) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    d.bytes[i] = static_cast<std::uint8_t>(h >> 32U);
    h += i;
  }
  return d;
}

inline std::string tensor(const std::string& shape, const std::string& stride,
                          const std::string& dtype = "torch.float32", bool grad = false,
                          const std::string& device = "device(type='cpu')") {
  return "TensorMetadata(dtype=" + dtype + ", shape=torch.Size(" + shape + "), stride=" + stride +
         ", device=" + device +
         ", layout=torch.strided, memory_format=torch.contiguous_format, storage_offset=0, storage_bytes=None, "
         "requires_grad=" +
         (grad ? "True" : "False") +
         ", is_quantized=False, is_conj=False, is_neg=False, is_inference=False, is_sparse=False, is_coalesced=None, "
         "dense_dim=None, sparse_dim=None)";
}

/// `def forward(self, arg0_1, …)` with these lines, as the component gm shows it.
inline std::string graph(std::size_t inputs, const std::vector<std::string>& lines,
                         const std::string& argument = "arg") {
  std::string out = "<lambda>()\n\n\n\ndef forward(self";
  for (std::size_t i = 0; i < inputs; ++i)
    out += ", " + (argument == "arg" ? "arg" + std::to_string(i) + "_1" : argument + "_" + std::to_string(i + 1));
  out += "):\n";
  for (const std::string& l : lines) out += "    " + l + "\n";
  return out + "    \n# To see more debug info, please use `graph_module.print_readable()`";
}

inline const std::vector<std::string> kMlp = {
    "permute = torch.ops.aten.permute.default(arg0_1, [1, 0]);  arg0_1 = None",
    "addmm = torch.ops.aten.addmm.default(arg1_1, arg2_1, permute);  arg1_1 = arg2_1 = permute = None",
    "relu = torch.ops.aten.relu.default(addmm);  addmm = None",
    "mul = torch.ops.aten.mul.Tensor(relu, 2.0);  relu = None", "return (mul,)"};

/// Name and text; the digest is that of the text, but for what the key hides.
using Parts = std::vector<std::pair<std::string, std::string>>;

/// What most graphs of a test have; `with` replaces or adds, an empty name's second removes.
inline Parts usual(const std::string& gm, const std::vector<std::string>& inputs, const Parts& with = {}) {
  Parts parts = {{"gm", gm}};
  for (std::size_t i = 0; i < inputs.size(); ++i)
    parts.emplace_back("example_inputs[" + std::to_string(i) + "]", inputs[i]);
  const Parts rest = {{"cache_key_tag", ""},
                      {"fx_kwargs[is_backward]", "False"},
                      {"fx_kwargs[is_inference]", "True"},
                      {"fx_kwargs[static_input_idxs]", "[0, 1]"},
                      {"deterministic_algorithms_settings", "(False, False, True)"},
                      {"cpp_runtime_thread_count", "2"},
                      {"default_dtype", "torch.float32"},
                      {"cuda_matmul_settings", "('none', True, True)"},
                      {"torch_version", "\xEF\xBF\xBDM\x10"},
                      {"system_info[hash]", "44136fa3"},
                      {"inductor_config[epilogue_fusion]", "True"},
                      {"inductor_config[max_autotune]", "False"},
                      {"inductor_config[cpp.threads]", "-1"},
                      {"inductor_config[deterministic]", "False"},
                      {"post_grad_custom_post_pass", "None"}};
  parts.insert(parts.end(), rest.begin(), rest.end());
  for (const auto& [name, text] : with) {
    bool found = false;
    for (std::size_t i = 0; i < parts.size() && !found; ++i) {
      if (parts[i].first != name) continue;
      found = true;
      if (text == "\x01") {
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        parts[i].second = text;
      }
    }
    if (!found) parts.emplace_back(name, text);
  }
  return parts;
}

/// Builds lookups of one store: ids count up, later ones are later in time.
class World {
 public:
  /// `hidden`: appended to the content of every digest of that component, not to its text.
  LookupRow lookup(const std::string& run, const Parts& parts, const std::map<std::string, std::string>& hidden = {},
                   Layer layer = Layer::fx_graph) {
    LookupRow row;
    row.id = ++ids_;
    const auto [at, fresh] = runs_.emplace(run, static_cast<std::int64_t>(runs_.size()) + 1);
    row.run = row.process = row.run_order = at->second;
    row.run_name = run;
    row.compile = row.id;
    row.cache_dir = "/cache";
    row.function = "forward";
    row.filename = "/src/model.py";
    row.line = 30;
    row.record.layer = layer;
    row.record.compile = CompileId{0, 0, 0, -1};
    row.record.outcome = Outcome::miss;
    row.record.status = "full_miss";
    row.record.time = row.id * 60'000'000'000;
    row.record.cost = 2'000'000'000;
    std::string all;
    for (const auto& [name, text] : parts) {
      std::string content = text;
      if (const auto h = hidden.find(name); h != hidden.end()) content += h->second;
      row.record.components.push_back(pool_.intern(name, digest_of(content), text));
      all += name + '=' + content + '\n';
    }
    row.component_set = parts.empty() ? 0 : static_cast<RowId>(std::hash<std::string>{}(all) >> 1U) + 1;
    row.record.key = (layer == Layer::aot_autograd ? "a" : "f") + digest_of(all).base32();
    return row;
  }

 private:
  ComponentPool pool_;
  RowId ids_ = 0;
  std::map<std::string, std::int64_t> runs_;
};

/// The case of `after` with `before` as the only candidate.
inline Case pair(const LookupRow& before, const LookupRow& after) {
  Case c;
  c.subject = after;
  c.candidates = {before};
  c.compile = {after};
  return c;
}

inline const Cause* find(const Explanation& e, std::string_view component) {
  for (const Cause& c : e.causes) {
    if (c.component == component) return &c;
  }
  return nullptr;
}

inline std::vector<std::string> roots(const Explanation& e) {
  std::vector<std::string> out;
  for (const Cause& c : e.causes) {
    if (c.role == Role::root) out.push_back(c.component);
  }
  return out;
}

}  // namespace keyhole::testing
