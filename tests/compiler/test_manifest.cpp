// SPDX-License-Identifier: Apache-2.0
#include "manifest.h"

#include <QTest>
#include <filesystem>
#include <fstream>

#include "output.h"
#include "temporary_folder.h"

using namespace keyhole;

namespace fs = std::filesystem;

namespace {

void write(const std::string& path, std::size_t size, int minutes_ago) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path) << std::string(size, 'x');
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::minutes(minutes_ago));
}

}  // namespace

class TestManifest : public QObject {
  Q_OBJECT

 private slots:
  void thereAndBack() {
    const test::TemporaryFolder home;
    Closure closure;
    closure.files = {{"a b.cpp", {5, 6, 7, 8, 9, false}, {}}, {"/h.h", {1, 2, 3, 4, 5, false}, {}}};
    closure.folders = {{"inc", {1, 2, 3, 4, 5, true}, {"not there"}, {"passed over"}}, {"", {}, {"x"}, {}}};
    QVERIFY(write_manifest(home / "m", {{"k1", closure}, {"k2", {}}}));
    const auto back = read_manifest(home / "m");
    QCOMPARE(back.size(), std::size_t{2});
    QCOMPARE(back[0].closure.files[0].path, std::string("a b.cpp"));
    QVERIFY(back[0].closure.files[0].stamp == closure.files[0].stamp);
    QCOMPARE(back[0].closure.folders[0].missing.front(), std::string("not there"));
    QCOMPARE(back[0].closure.folders[0].present.front(), std::string("passed over"));
    QVERIFY(!back[0].closure.folders[1].stamp.exists());
    QCOMPARE(manifest_text(back), manifest_text({{"k1", closure}, {"k2", {}}}));
  }

  void atMostSixteenVariants() {
    std::vector<Variant> many;
    for (std::size_t i = 0; i < 2 * kMostVariants; ++i) many.push_back({"k" + std::to_string(i), {}});
    const auto back = parse_manifest(manifest_text(many));
    QCOMPARE(back.size(), kMostVariants);
    QCOMPARE(back.front().result, std::string("k0"));
  }

  void theOldestAreForgotten() {
    const test::TemporaryFolder home;
    for (int i = 0; i < 10; ++i) write(home / ("m" + std::to_string(i)), 1000, 100 - i);
    write(home / "kept", 1000, 1000);  // older than all, and just written in truth
    bound_manifests(home.path(), home / "kept", 4500);
    QVERIFY(fs::exists(home / "kept"));
    for (int i = 0; i < 10; ++i) QCOMPARE(fs::exists(home / ("m" + std::to_string(i))), i >= 7);
    bound_manifests(home.path(), home / "kept", 4500);
    QVERIFY(fs::exists(home / "m7"));
  }

  /// What a compile that was killed left goes; what one at work has stays.
  void leftFoldersAreSwept() {
    const test::TemporaryFolder home;
    fs::create_directories(home / "locks");
    write(home / "keep/dead/a.ii", 10, 0);
    write(home / "keep/live/a.ii", 10, 0);
    {
      const Turn turn(home / "locks/live");
      sweep_kept(home / "keep", home / "locks");
      QVERIFY(!fs::exists(home / "keep/dead"));
      QVERIFY(fs::exists(home / "keep/live/a.ii"));
    }
    sweep_kept(home / "keep", home / "locks");
    QVERIFY(!fs::exists(home / "keep/live"));
    QVERIFY(fs::is_empty(home / "locks"));
  }
};

QTEST_GUILESS_MAIN(TestManifest)
#include "test_manifest.moc"
