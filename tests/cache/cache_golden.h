// SPDX-License-Identifier: Apache-2.0
// Vectors that PyTorch 2.13 gave (tests/data/golden/caches.json), and a store that lives as long as a test.
#pragma once

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "keyhole/cache/artifact_cache.h"

namespace keyhole {

/// Lives as long as the test.
inline const nlohmann::ordered_json& golden(const char* section) {
  static const nlohmann::ordered_json all = [] {
    QFile file(QStringLiteral(KEYHOLE_SOURCE_DIR "/tests/data/golden/caches.json"));
    if (!file.open(QIODevice::ReadOnly)) qFatal("tests/data/golden/caches.json is missing");
    return nlohmann::ordered_json::parse(file.readAll().toStdString());
  }();
  return all.at(section);
}

struct TestStore {
  QTemporaryDir folder;
  std::string root = folder.path().toStdString();
  std::unique_ptr<ArtifactCache> cache;
  explicit TestStore(const CacheOptions& options = {}) {
    auto opened = ArtifactCache::open(root + "/store", options);
    if (!opened) qFatal("%s", opened.error().line().c_str());
    cache = std::move(*opened);
  }
};

}  // namespace keyhole
