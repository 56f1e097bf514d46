// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/precompile.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "keyhole/cache/artifact_cache.h"
#include "keyhole/cache/artifacts.h"
#include "keyhole/cache/counters.h"
#include "keyhole/key/hash.h"
#include "keyhole/remote/python_json.h"
#include "wire.h"

namespace keyhole {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kPackageMagic =
    "KHP1";  // grammar: the members of CacheEntry in their order, as wire.h writes them
constexpr const char* kPackageCounters = "dynamo_cache";
constexpr std::string_view kMast = "mast:";

}  // namespace

std::string CacheEntry::encode() const {
  wire::Writer out;
  out.raw(kPackageMagic);
  out.text(package.function);
  out.integer(package.first_line);
  out.text(package.device_type);
  out.number(package.codes.size());
  for (const auto& code : package.codes) {
    out.text(code.name);
    out.number(code.bypassed ? 1 : 0);
    out.number(code.backend_ids.size());
    for (const auto& id : code.backend_ids) out.text(id);
  }
  out.number(backends.size());
  for (const auto& [id, backend] : backends)
    for (const auto* text : {&backend.type, &backend.key, &backend.content}) out.text(*text);
  return out.take();
}

Result<CacheEntry> CacheEntry::decode(std::string_view bytes) {
  if (!bytes.starts_with(kPackageMagic)) return fail(ErrorKind::bad_input, "not a package that this library stored");
  wire::Reader in(bytes.substr(kPackageMagic.size()));
  CacheEntry entry;
  entry.package.function = in.text();
  entry.package.first_line = in.integer();
  entry.package.device_type = in.text();
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    auto& code = entry.package.codes.emplace_back();
    code.name = in.text();
    code.bypassed = in.number() != 0;
    for (auto ids = in.number(); ids > 0 && in.ok(); --ids) code.backend_ids.emplace_back(in.text());
  }
  for (auto n = in.number(); n > 0 && in.ok(); --n) {
    BackendArtifact backend;
    for (auto* text : {&backend.type, &backend.key, &backend.content}) *text = in.text();
    entry.backends[backend.key] = backend;
  }
  if (!in.ok()) return fail(ErrorKind::bad_input, "the stored package ends early");
  return entry;
}

std::string source_id(std::string_view qualified_name, std::int64_t first_line) {
  return kSystem.key({qualified_name, std::to_string(first_line)});
}

std::string backend_id(std::int64_t number, std::string_view uuid) {
  std::string id = "__compiled_fn_" + std::to_string(number) + "_" + std::string(uuid);
  std::replace(id.begin(), id.end(), '-', '_');
  return id;
}

void PrecompileContext::record_artifact(BackendArtifact artifact) {
  const std::scoped_lock lock(mutex_);
  const std::string key = artifact.key;
  artifacts_[key] = std::move(artifact);
}

void PrecompileContext::record_entry(PackageEntry entry) {
  const std::scoped_lock lock(mutex_);
  packages_[source_id(entry.function, entry.first_line)] = std::move(entry);
}

Result<void> PrecompileContext::edit(const std::string& key, const std::function<std::string(std::string)>& edit) {
  const std::scoped_lock lock(mutex_);
  const auto found = artifacts_.find(key);
  if (found == artifacts_.end()) return fail(ErrorKind::not_found, "Key " + key + " not found in artifacts");
  found->second.content = edit(found->second.content);
  return {};
}

std::optional<BackendArtifact> PrecompileContext::serialize_by_key(const std::string& key) const {
  const std::scoped_lock lock(mutex_);
  const auto found = artifacts_.find(key);
  if (found == artifacts_.end()) return {};
  return found->second;
}

PrecompileContext::Created PrecompileContext::create_cache_entries() const {
  const std::scoped_lock lock(mutex_);
  Created created;
  Json debug{{"dynamo", Json::array()}, {"backends", Json::array()}};
  for (const auto& [id, artifact] : artifacts_) debug["backends"].push_back(id);
  for (const auto& [id, package] : packages_) {
    CacheEntry entry{package, {}};
    Json ids = Json::array();
    for (auto& code : entry.package.codes) {
      for (const auto& backend : code.backend_ids) {
        ids.push_back(backend);
        const auto found = artifacts_.find(backend);
        if (found != artifacts_.end()) {
          entry.backends[backend] = found->second;
        } else if (!code.bypassed) {
          code.bypassed = true;
          emit_event("dynamo_cache_bypass", python_json(Json{{"key", id}, {"backend_id", backend}}));
        }
      }
    }
    debug["dynamo"].push_back({{"num_codes", std::to_string(package.codes.size())},
                               {"fn_name", package.function},
                               {"fn_first_lineno", package.first_line},
                               {"device_type", package.device_type},
                               {"backend_ids", ids},
                               {"key", id}});
    created.entries[id] = std::move(entry);
  }
  emit_event("dynamo_cache_entries",
             python_json(Json{{"num_entries", created.entries.size()}, {"artifacts", debug["backends"]}}));
  created.debug_info = python_json(debug);
  return created;
}

std::size_t PrecompileContext::packages() const {
  const std::scoped_lock lock(mutex_);
  return packages_.size();
}
std::size_t PrecompileContext::backends() const {
  const std::scoped_lock lock(mutex_);
  return artifacts_.size();
}
void PrecompileContext::clear() {
  const std::scoped_lock lock(mutex_);
  artifacts_.clear();
  packages_.clear();
}

Result<void> check_compatible(const PackageSystem& made, const PackageSystem& here, bool on_gpu) {
  const auto differs = [](const char* what, const std::string& before, const std::string& now) {
    return fail(ErrorKind::unsupported,
                std::string("the package was made with ") + what + " " + before + ", here is " + now, {},
                "compile it anew here");
  };
  if (made.python != here.python) return differs("Python", made.python, here.python);
  if (made.torch != here.torch) return differs("PyTorch", made.torch, here.torch);
  if (!on_gpu) return {};
  if (made.toolkit != here.toolkit) return differs("toolkit", made.toolkit, here.toolkit);
  const auto version = [](std::pair<int, int> v) { return std::to_string(v.first) + "." + std::to_string(v.second); };
  if (here.triton != std::pair(0, 0) && made.triton != here.triton)
    return differs("Triton", version(made.triton), version(here.triton));
  if (!here.gpu.empty() && made.gpu != here.gpu) return differs("the GPU", made.gpu, here.gpu);
  return {};
}

Result<void> PackageStore::save(const std::string& id, const CacheEntry& entry) {
  const std::string bytes = entry.encode();
  if (artifacts_ != nullptr) static_cast<void>(artifacts_->record("precompile", id, bytes));
  if (auto stored = populate(id, bytes); !stored)
    return fail(stored.error().kind, "Failed to save package to " + id + ": " + stored.error().what,
                stored.error().where, stored.error().hint);
  return {};
}

std::optional<CacheEntry> PackageStore::load(const std::string& id) {
  const auto found = store_.get({.layer = Layer::dynamo, .key = id});
  if (!found.hit()) {
    counters().add(kPackageCounters, found.reason.empty() ? "dynamo_cache_miss" : "dynamo_cache_error");
    return {};
  }
  auto entry = CacheEntry::decode(found.entry.bytes);
  counters().add(kPackageCounters, entry ? "dynamo_cache_hit" : "dynamo_cache_error");
  if (!entry) return {};
  if (artifacts_ != nullptr) static_cast<void>(artifacts_->record("precompile", id, found.entry.bytes));
  return std::move(*entry);
}

Result<void> PackageStore::populate(const std::string& id, std::string_view content) {
  static_cast<void>(store_.remove(Layer::dynamo, id));  // one a function: the newest
  if (auto stored = store_.put({.layer = Layer::dynamo, .key = id, .bytes = content}); !stored)
    return tl::unexpected(stored.error());
  return {};
}

Result<std::optional<std::string>> shape_profile_key(const std::string& job, std::optional<int> rank,
                                                     std::string_view tag) {
  if (job.empty()) return std::nullopt;
  if (job.starts_with(kMast)) return fail(ErrorKind::usage, "a job id may not begin with mast:", job);
  return job + ":" + (rank ? std::to_string(*rank) : "None") + ":" + std::string(tag);
}

std::string shape_profile_file(std::string_view key) {
  std::string name(key);
  for (auto& c : name)
    if (std::string_view("<>:\"/\\|?*").find(c) != std::string_view::npos) c = '_';
  return "dynamo/code_state_" + name + ".pkl";
}

std::string rewritten_profile_key(const std::string& key, const std::string& this_job) {
  if (!key.starts_with(kMast) || !this_job.starts_with(kMast)) return key;
  const auto version = key.find(':', kMast.size());
  const auto rest = version == std::string::npos ? version : key.find(':', version + 1);
  return rest == std::string::npos ? key : this_job + key.substr(rest);
}

Result<void> ShapeProfiles::store(const std::string& key, std::string_view content) {
  const std::string file = shape_profile_file(key);
  static_cast<void>(store_.remove(Layer::dynamo, file));
  if (auto stored = store_.put({.layer = Layer::dynamo, .key = file, .bytes = content}); !stored)
    return tl::unexpected(stored.error());
  return {};
}

Result<void> ShapeProfiles::save(const std::string& key, std::string_view content) {
  if (artifacts_ != nullptr) static_cast<void>(artifacts_->record("pgo", key, content));
  return store(key, content);
}

std::optional<std::string> ShapeProfiles::load(const std::string& key) {
  auto found = store_.get({.layer = Layer::dynamo, .key = shape_profile_file(key)});
  if (!found.hit()) return {};
  return std::move(found.entry.bytes);
}

Result<void> ShapeProfiles::populate(const std::string& key, std::string_view content) {
  return store(rewritten_profile_key(key, job_), content);
}

}  // namespace keyhole
