// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QTest>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "keyhole/base/os.h"

namespace keyhole::test {

/// A folder of its own for one test. Removed at the end, unless the test failed: then it is kept, and named.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    const char* base = std::getenv("TMPDIR");
    path_ = std::string(base != nullptr ? base : "/tmp") + "/keyhole-test-XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) qFatal("cannot make a temporary folder");
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    if (QTest::currentTestFailed())
      std::fprintf(stderr, "kept for inspection: %s\n", path_.c_str());
    else
      remove_folder(path_);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// QVERIFY of a Result, showing its error.
#define VERIFY_OK(expression)                                                                       \
  do {                                                                                              \
    const auto& verify_result = (expression);                                                       \
    QVERIFY2(verify_result.has_value(), verify_result ? "" : verify_result.error().line().c_str()); \
  } while (false)

}  // namespace keyhole::test
