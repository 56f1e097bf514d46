// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/autotune.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/cache/source_files.h"
#include "keyhole/key/hash.h"
#include "keyhole/remote/python_json.h"
#include "keyhole/remote/remote_cache.h"

namespace keyhole {
namespace {

constexpr std::string_view kJit = "@triton.jit\n";

std::string base_name(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

bool word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

}  // namespace

std::string hash_of(const std::vector<TritonConfig>& configs) {
  Sha256 hash;
  for (const auto& config : configs) {
    auto sorted = config.args;
    std::sort(sorted.begin(), sorted.end());
    std::string text = "[";
    for (const auto& [name, value] : sorted)
      text += (text.size() > 1 ? ", " : "") + ("(" + python_repr_text(name) + ", " + std::to_string(value) + ")");
    hash.update(text + "] " + std::to_string(config.num_warps) + " " + std::to_string(config.num_stages) + "\n");
  }
  return hash.finish().hex();
}

BestConfigKey best_config_key(const std::string& source_path, std::string_view tag, std::string_view torch_key) {
  BestConfigKey key;
  key.prepared = kAutotune.key({base_name(source_path) + ":" + std::string(tag)});
  const std::string name = kAutotune.key({key.prepared, torch_key}) + ".best_config";
  const auto slash = source_path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : source_path.substr(0, slash);
  key.path = folder.empty() ? name : folder + "/" + name;
  key.artifact = base_name(folder) + "/" + name;
  return key;
}

std::string best_config_remote_id(std::string_view torch_key, std::string_view backend_hash,
                                  std::string_view configs_hash) {
  Digest d;
  torch_key.copy(reinterpret_cast<char*>(d.bytes.data()), 32);
  return kAutotune.key({d.hex(), backend_hash, configs_hash, "autotune-best-config-v2"});
}

std::string autotune_bundle_key(std::string_view code_hash, std::string_view backend_hash) {
  return kAutotune.key({code_hash, backend_hash, "bundled-autotune-best-configs-v1"});
}

std::string code_hash_without_comments(std::string_view code) {
  std::string kept;
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (code[at] == '#') at = std::min(code.find('\n', at), code.size());
    if (at < code.size()) kept += code[at];
  }
  return code_hash(kept);
}

std::string BestConfig::json() const {
  nlohmann::ordered_json record;
  for (const auto& [name, value] : config.args) record[name] = value;
  record["num_warps"] = config.num_warps;
  record["num_stages"] = config.num_stages;
  record["configs_hash"] = configs_hash;
  record["found_by_coordesc"] = found_by_coordesc;
  record["time_taken_ms"] = time_taken / 1'000'000;
  record["triton_cache_hash"] = triton_cache_hash;
  return python_json(record);
}

std::optional<BestConfig> BestConfig::parse(std::string_view json) {
  const auto record = nlohmann::ordered_json::parse(json, nullptr, false);
  if (!record.is_object()) return {};
  BestConfig best;
  for (const auto& [name, value] : record.items()) {
    if (name == "configs_hash" && value.is_string())
      best.configs_hash = value;
    else if (name == "triton_cache_hash" && value.is_string())
      best.triton_cache_hash = value;
    else if (name == "found_by_coordesc" && value.is_boolean())
      best.found_by_coordesc = value;
    else if (name == "time_taken_ms" && value.is_number())
      best.time_taken = value.get<std::int64_t>() * 1'000'000;
    else if (name == "num_warps" && value.is_number_integer())
      best.config.num_warps = value;
    else if (name == "num_stages" && value.is_number_integer())
      best.config.num_stages = value;
    else if (value.is_number_integer())
      best.config.args.emplace_back(name, value.get<std::int64_t>());
  }
  return best;
}

AutotuneCache::AutotuneCache(ArtifactCache& store, std::string torch_key, std::string tag, RemoteCache* remote,
                             ArtifactManager* artifacts)
    : store_(store), torch_key_(std::move(torch_key)), tag_(std::move(tag)), remote_(remote), artifacts_(artifacts) {}

std::optional<TritonConfig> AutotuneCache::read(const std::string& source_path,
                                                const std::vector<TritonConfig>& configs, bool coordinate_descent) {
  const auto key = best_config_key(source_path, tag_, torch_key_);
  LookupRequest request{.layer = Layer::autotune, .key = key.artifact};
  if (remote_ != nullptr)
    request.beyond = [&]() -> std::optional<FoundEntry> {
      auto text = remote_->get_text(key.prepared);
      if (!text) return {};
      return FoundEntry{.bytes = std::move(*text)};
    };
  const auto found = store_.get(request);
  if (!found.hit()) return {};
  const auto best = BestConfig::parse(found.entry.bytes);
  if (!best || best->configs_hash != hash_of(configs)) return {};
  if (found.local && artifacts_ != nullptr)
    static_cast<void>(artifacts_->record("autotune", key.artifact, found.entry.bytes));
  if (best->found_by_coordesc && coordinate_descent) return best->config;
  const auto same = [&](const TritonConfig& c) {
    return c.num_warps == best->config.num_warps && c.num_stages == best->config.num_stages &&
           std::is_permutation(c.args.begin(), c.args.end(), best->config.args.begin(), best->config.args.end());
  };
  if (std::count_if(configs.begin(), configs.end(), same) == 1)
    return *std::find_if(configs.begin(), configs.end(), same);
  return best->config;
}

Result<void> AutotuneCache::save(const std::string& source_path, const BestConfig& best) {
  const auto key = best_config_key(source_path, tag_, torch_key_);
  const std::string json = best.json();
  // One a kernel: what was the best before goes.
  static_cast<void>(store_.remove(Layer::autotune, key.artifact));
  if (auto stored = store_.put({.layer = Layer::autotune, .key = key.artifact, .bytes = json, .cost = best.time_taken});
      !stored)
    return tl::unexpected(stored.error());
  if (artifacts_ != nullptr) static_cast<void>(artifacts_->record("autotune", key.artifact, json));
  if (remote_ != nullptr) remote_->put_text(key.prepared, json);
  return {};
}

Result<void> AutotuneCache::populate(const std::string& artifact_key, std::string_view json) {
  if (!BestConfig::parse(json))
    return fail(ErrorKind::bad_input, "the artifact is no best configuration", artifact_key);
  static_cast<void>(store_.remove(Layer::autotune, artifact_key));
  if (auto stored = store_.put({.layer = Layer::autotune, .key = artifact_key, .bytes = json}); !stored)
    return tl::unexpected(stored.error());
  return {};
}

std::string autotune_lookup_hash(std::string_view size_hints, std::string_view source) {
  std::string text(strip_text(source));
  // Python's re.sub(r"^def\s+\w+\s*\(", "(", …) without MULTILINE: only at the very beginning.
  if (text.starts_with("def")) {
    std::size_t at = 3;
    const auto spaces = [&] {
      const auto begin = at;
      while (at < text.size() && std::isspace(static_cast<unsigned char>(text[at])) != 0) ++at;
      return at > begin;
    };
    const bool apart = spaces();
    const auto name = at;
    while (at < text.size() && word_character(text[at])) ++at;
    const bool named = at > name;
    spaces();
    if (apart && named && at < text.size() && text[at] == '(') text.erase(0, at);
  }
  return kSystem.key({size_hints, text});
}

std::optional<KernelInSource> kernel_in_source(std::string_view source) {
  const auto first = source.find(kJit);
  if (first == std::string_view::npos) return {};
  KernelInSource kernel;
  const auto body = source.substr(first + kJit.size());
  kernel.source = body.substr(0, body.find(kJit));
  constexpr std::string_view kHints = "size_hints={";
  if (const auto hints = source.find(kHints); hints != std::string_view::npos) {
    const auto open = hints + kHints.size() - 1;
    if (const auto close = source.find('}', open); close != std::string_view::npos)
      kernel.size_hints = source.substr(open, close - open + 1);
  }
  return kernel;
}

std::optional<TritonConfig> autotune_lookup(const nlohmann::ordered_json& table, std::string_view source) {
  if (!table.is_object() || table.empty() || source.find("_fused_") == std::string_view::npos) return {};
  const auto kernel = kernel_in_source(source);
  if (!kernel) return {};
  const auto row = table.find(autotune_lookup_hash(kernel->size_hints, kernel->source));
  if (row == table.end() || !row->is_object()) return {};
  TritonConfig config;
  for (const auto& [name, value] : row->items()) {
    if (!value.is_number_integer()) continue;
    if (name == "num_warps")
      config.num_warps = value;
    else if (name == "num_stages")
      config.num_stages = value;
    else if (name.find("BLOCK") != std::string::npos)
      config.args.emplace_back(name, value.get<std::int64_t>());
  }
  return config;
}

}  // namespace keyhole
