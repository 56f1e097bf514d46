// SPDX-License-Identifier: Apache-2.0
#include "keyhole/key/path.h"

#include <QtTest>

#include "golden.h"

using namespace keyhole;

class TestPath : public QObject {
  Q_OBJECT
 private slots:
  void golden_paths() {
    int seen = 0;
    for (const auto& vector : golden("hash")["get_path_vectors"]) {
      const CodePath got =
          code_path("<CACHE>", vector["basename"].get<std::string>(), vector["extension"].get<std::string>(),
                    vector["specified_dir"].get<std::string>());
      QCOMPARE(got.basename, vector["result"][0].get<std::string>());
      QCOMPARE(got.folder, vector["result"][1].get<std::string>());
      QCOMPARE(got.path, vector["result"][2].get<std::string>());
      ++seen;
    }
    QCOMPARE(seen, 8);
  }
  void cache_root() {
    qputenv("TORCHINDUCTOR_CACHE_DIR", "/some/where/");
    QCOMPARE(inductor_cache_root(), std::string("/some/where"));
    qunsetenv("TRITON_CACHE_DIR");
    QCOMPARE(triton_cache_dir("/some/where", 1), std::string("/some/where/triton/1"));
    qputenv("TRITON_CACHE_DIR", "rel/x");
    QCOMPARE(triton_cache_dir("/some/where", 1), std::string("rel/x"));
    qunsetenv("TRITON_CACHE_DIR");
    qunsetenv("TORCHINDUCTOR_CACHE_DIR");
    qputenv("TMPDIR", "/");
    qputenv("LOGNAME", "a\\b/c:d*e?f\"g<h>i|j");
    QCOMPARE(inductor_cache_root(), std::string("/torchinductor_a_b_c_d_e_f_g_h_i_j"));
  }
  void entry_folders() {
    QCOMPARE(fx_graph_folder("/r", "fabcdef"), std::string("/r/fxgraph/ab/fabcdef"));
    QCOMPARE(autograd_folder("/r", "aabcdef"), std::string("/r/aotautograd/aabcdef"));
  }
  void stripping() {
    QCOMPARE(strip_text("\u2003 \u3000a\u00a0b\x1c\u0085\n"), std::string_view("a\u00a0b"));
    QCOMPARE(strip_text("\u2003\u3000"), std::string_view());
    QCOMPARE(strip_text("\xe2\x80"), std::string_view("\xe2\x80"));  // a cut character is no space
    QCOMPARE(strip_text("é"), std::string_view("é"));
    QCOMPARE(strip_bytes(" \v\fa\x1c \r"), std::string_view("a\x1c"));
    QCOMPARE(strip_bytes(" \n"), std::string_view());
  }
};

QTEST_APPLESS_MAIN(TestPath)
#include "test_path.moc"
