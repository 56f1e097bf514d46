// SPDX-License-Identifier: Apache-2.0
#include "keyhole/remote/remote_cache.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "keyhole/base/base64.h"
#include "keyhole/base/os.h"
#include "keyhole/key/hash.h"
#include "keyhole/remote/python_json.h"

namespace keyhole {
namespace {

// A signature is a further member at the end of the JSON object, so that PyTorch reads a signed value as it is. It has
// a fixed length: 44 characters of base64.
constexpr std::string_view kSignature = ", \"keyhole_hmac_sha256\": \"";
constexpr std::size_t kSignatureSize = kSignature.size() + 44 + 2;

/// How long it takes does not tell where two texts differ.
bool same_in_constant_time(std::string_view a, std::string_view b) {
  unsigned char differ = a.size() == b.size() ? 0 : 1;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) differ |= static_cast<unsigned char>(a[i] ^ b[i]);
  return differ == 0;
}

/// Parts a signed value into the value and the signature; false where it is not signed.
bool part(std::string_view signed_value, std::string& value, std::string& signature) {
  if (signed_value.size() <= kSignatureSize) return false;
  const auto tail = signed_value.substr(signed_value.size() - kSignatureSize);
  if (!tail.starts_with(kSignature) || !tail.ends_with("\"}")) return false;
  value = std::string(signed_value.substr(0, signed_value.size() - kSignatureSize)) + "}";
  signature = tail.substr(kSignature.size(), 44);
  return true;
}

}  // namespace

Result<std::optional<std::string>> MemoryBackend::get(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = values_.find(key);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

Result<void> MemoryBackend::put(const std::string& key, std::string_view value) {
  const std::scoped_lock lock(mutex_);
  values_[key] = value;
  return {};
}

std::map<std::string, std::string> MemoryBackend::all() const {
  const std::scoped_lock lock(mutex_);
  return values_;
}

Result<std::optional<std::string>> FileBackend::get(const std::string& key) {
  auto bytes = read_file(key);
  if (bytes) return bytes->empty() ? std::optional<std::string>() : std::optional(std::move(*bytes));
  if (bytes.error().kind == ErrorKind::not_found) return std::nullopt;
  return tl::unexpected(bytes.error());
}

Result<void> FileBackend::put(const std::string& key, std::string_view value) {
  if (const auto slash = key.rfind('/'); slash != std::string::npos)
    if (auto made = make_folders(key.substr(0, slash)); !made) return made;
  return write_file_atomic(key, value);
}

std::string RemoteCounts::text() const {
  return "{hit: " + std::to_string(hit) + ", miss: " + std::to_string(miss) + ", put: " + std::to_string(put) +
         ", exception: " + std::to_string(exception) + "}";
}

void RemoteStatistics::add(const std::string& name, std::int64_t RemoteCounts::*member) {
  const std::scoped_lock lock(mutex_);
  ++(counts_[name].*member);
}

RemoteCounts RemoteStatistics::of(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = counts_.find(name);
  return found == counts_.end() ? RemoteCounts{} : found->second;
}

std::string RemoteStatistics::text() const {
  const std::scoped_lock lock(mutex_);
  std::string text = "Cache Metrics:";
  if (counts_.empty()) return text + " None";
  for (const auto& [name, counts] : counts_) text += "\n  " + name + ": " + counts.text();
  return text;
}

void RemoteStatistics::clear() {
  const std::scoped_lock lock(mutex_);
  counts_.clear();
}

RemoteStatistics& remote_statistics() {
  static RemoteStatistics statistics;
  return statistics;
}

std::string remote_key(std::string_view id, std::string_view key) {
  return "pt2:" + std::string(id) + "::" + std::string(key) + ":c1";
}

RemoteCache::RemoteCache(std::string name, std::string id, std::shared_ptr<RemoteBackend> backend, std::string secret)
    : name_(std::move(name)),
      id_(std::move(id)),
      backend_name_("backend:" + std::string(backend->name())),
      backend_(std::move(backend)),
      secret_(std::move(secret)) {}

std::string RemoteCache::signature(const std::string& key, std::string_view value) const {
  // The key is part of what is signed: a value cannot be moved to another key.
  std::string message = std::to_string(key.size()) + ":" + key;
  message += value;
  const Digest digest = hmac_sha256(secret_, message);
  return base64_encode({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()});
}

std::optional<std::string> RemoteCache::get_text(std::string_view key) {
  const std::string full = remote_key(id_, key);
  auto value = backend_->get(full);
  if (!value) {
    remote_statistics().exception(backend_name_);
    remote_statistics().exception(name_);
    remote_statistics().miss(name_);
    return {};
  }
  if (*value)
    remote_statistics().hit(backend_name_);
  else
    remote_statistics().miss(backend_name_);
  if (*value) {
    std::string plain, given;
    const bool is_signed = part(**value, plain, given);
    if (!secret_.empty()) {
      const std::string wanted = signature(full, plain);
      if (!is_signed || !same_in_constant_time(given, wanted)) {
        remote_statistics().exception(name_);
        value->reset();
      }
    }
    if (*value && is_signed) *value = std::move(plain);
  }
  if (*value)
    remote_statistics().hit(name_);
  else
    remote_statistics().miss(name_);
  return std::move(*value);
}

bool RemoteCache::put_text(std::string_view key, std::string_view value) {
  const std::string full = remote_key(id_, key);
  std::string with_signature;
  if (!secret_.empty()) {
    if (!value.ends_with('}') || value.size() < 3) return false;
    with_signature =
        std::string(value.substr(0, value.size() - 1)) + std::string(kSignature) + signature(full, value) + "\"}";
    value = with_signature;
  }
  remote_statistics().put(backend_name_);
  remote_statistics().put(name_);
  if (backend_->put(full, value)) return true;
  remote_statistics().exception(backend_name_);
  remote_statistics().exception(name_);
  return false;
}

std::optional<RemoteRecord> RemoteCache::get(std::string_view key) {
  const auto text = get_text(key);
  if (!text) return {};
  const auto json = nlohmann::json::parse(*text, nullptr, false);
  if (json.is_object() && json.contains("data") && json["data"].is_string()) {
    auto data = base64_decode(json["data"].get_ref<const std::string&>());
    const auto time = json.value("time_taken_ms", nlohmann::json());
    if (data) return RemoteRecord{std::move(*data), time.is_number() ? time.get<std::int64_t>() : 0};
  }
  remote_statistics().exception(name_);
  return {};
}

bool RemoteCache::put(std::string_view key, const RemoteRecord& record) {
  nlohmann::ordered_json json;
  json["data"] = base64_encode(record.data);
  json["time_taken_ms"] = record.time_taken_ms;
  return put_text(key, python_json(json));
}

}  // namespace keyhole
