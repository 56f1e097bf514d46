// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "keyhole/base/error.h"
#include "keyhole/remote/remote_cache.h"

namespace keyhole {

/// How a Redis server is reached, and how long it is waited for.
struct RedisOptions {
  std::string host = "localhost";
  int port = 6379;
  std::string socket;  ///< a Unix socket instead of host and port
  std::string user, password;
  int database = 0;
  std::chrono::milliseconds connect_timeout{500};
  std::chrono::milliseconds timeout{1000};             ///< of one get or put as a whole, however slowly the bytes come
  std::size_t largest_value = std::size_t{512} << 20;  ///< a longer one is a miss and is not read
  std::chrono::milliseconds retry_after{30000};        ///< after a failure the server is left alone; max(): for ever

  /// redis://[[user]:password@]host[:port][/database] or unix:///path. unsupported for rediss:// (no TLS in hiredis
  /// 0.14).
  static Result<RedisOptions> parse(const std::string& url);
  /// KEYHOLE_REMOTE, else TORCHINDUCTOR_REDIS_URL, else TORCHINDUCTOR_REDIS_HOST and _PORT, else the defaults.
  static Result<RedisOptions> from_environment();
};

/// Bytes under keys in Redis: GET and SET. Connects on first use, again after a fork, and again `retry_after` a
/// failure; in between, gets find nothing and puts do nothing, at no cost.
class RedisBackend : public RemoteBackend {
 public:
  explicit RedisBackend(RedisOptions options);
  ~RedisBackend() override;
  Result<std::optional<std::string>> get(const std::string& key) override;
  Result<void> put(const std::string& key, std::string_view value) override;
  [[nodiscard]] const char* name() const override { return "RedisRemoteCacheBackend"; }
  [[nodiscard]] bool resting() const;  ///< left alone after a failure

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhole
