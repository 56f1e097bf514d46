// SPDX-License-Identifier: Apache-2.0
// The tier that machines share: PyTorch's keys and JSON, so that both can use one server. A remote cache never makes a
// program fail: what goes wrong is a miss, counted as an exception, within a bounded time.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "keyhole/base/error.h"

namespace keyhole {

/// Where bytes stand under keys. Thread-safe.
class RemoteBackend {
 public:
  virtual ~RemoteBackend() = default;
  /// Nothing where the key is not there. An error where that could not be found out.
  virtual Result<std::optional<std::string>> get(const std::string& key) = 0;
  virtual Result<void> put(const std::string& key, std::string_view value) = 0;
  [[nodiscard]] virtual const char* name() const = 0;  ///< "RedisRemoteCacheBackend"; the statistics name it
};

/// In memory, for tests and for one process.
class MemoryBackend : public RemoteBackend {
 public:
  Result<std::optional<std::string>> get(const std::string& key) override;
  Result<void> put(const std::string& key, std::string_view value) override;
  [[nodiscard]] const char* name() const override { return "MemoryBackend"; }
  [[nodiscard]] std::map<std::string, std::string> all() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> values_;
};

/// The key is the path of a file. A missing or empty file is nothing.
class FileBackend : public RemoteBackend {
 public:
  Result<std::optional<std::string>> get(const std::string& key) override;
  Result<void> put(const std::string& key, std::string_view value) override;
  [[nodiscard]] const char* name() const override { return "_LocalAutotuneCacheBackend"; }
};

struct RemoteCounts {
  std::int64_t hit = 0, miss = 0, put = 0, exception = 0;
  [[nodiscard]] std::string text() const;  ///< "{hit: 1, miss: 1, put: 1, exception: 1}"
  friend bool operator==(const RemoteCounts&, const RemoteCounts&) = default;
};

/// Counts by cache name, over the process. Thread-safe.
class RemoteStatistics {
 public:
  void hit(const std::string& name) { add(name, &RemoteCounts::hit); }
  void miss(const std::string& name) { add(name, &RemoteCounts::miss); }
  void put(const std::string& name) { add(name, &RemoteCounts::put); }
  void exception(const std::string& name) { add(name, &RemoteCounts::exception); }
  [[nodiscard]] RemoteCounts of(const std::string& name) const;
  /// "Cache Metrics:" and a line for each name, sorted, or " None".
  [[nodiscard]] std::string text() const;
  void clear();

 private:
  void add(const std::string& name, std::int64_t RemoteCounts::*member);
  mutable std::mutex mutex_;
  std::map<std::string, RemoteCounts> counts_;
};
[[nodiscard]] RemoteStatistics& remote_statistics();

/// A value of PyTorch's graph caches: {"data": "<base64>", "time_taken_ms": 7}.
struct RemoteRecord {
  std::string data;  ///< decoded
  std::int64_t time_taken_ms = 0;
};

/// "pt2:<id>::<key>:c1"
[[nodiscard]] std::string remote_key(std::string_view id, std::string_view key);

/// One cache of the shared tier. `name` is what the statistics call it, `id` what its keys begin with: "fx-graph-v1",
/// "autograd-experimental", "bundled-autotune-v1", "dynamo-pgo".
class RemoteCache {
 public:
  /// `secret`: values (then they must be JSON objects with a member) are signed with HMAC-SHA256 over key and value, in
  /// a member of their own that PyTorch passes over; what is not signed so is a miss. Empty: nothing is signed or
  /// checked.
  RemoteCache(std::string name, std::string id, std::shared_ptr<RemoteBackend> backend, std::string secret = {});

  /// The text of the value; nothing where it is missing or cannot be had.
  std::optional<std::string> get_text(std::string_view key);
  /// `value` is JSON. False where it could not be put.
  bool put_text(std::string_view key, std::string_view value);
  /// The same of a graph's record; what is no such record is a miss.
  std::optional<RemoteRecord> get(std::string_view key);
  bool put(std::string_view key, const RemoteRecord& record);

 private:
  [[nodiscard]] std::string signature(const std::string& key, std::string_view value) const;
  std::string name_, id_, backend_name_;
  std::shared_ptr<RemoteBackend> backend_;
  std::string secret_;
};

}  // namespace keyhole
