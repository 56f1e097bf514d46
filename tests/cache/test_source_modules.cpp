// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/source_modules.h"

#include <filesystem>
#include <fstream>

#include "cache_golden.h"

using namespace keyhole;

class TestSourceModules : public QObject {
  Q_OBJECT
 private slots:
  // test_codecache.py: TestPyCodeCache.test_linemaps_empty
  void test_linemaps_empty() {
    QTemporaryDir folder;
    SourceModules modules(folder.path().toStdString());
    const auto written = modules.write("import torch");
    QVERIFY(written);
    QCOMPARE(written->key, golden("pycodecache").at("write('import torch')").at(0).get<std::string>());
    modules.add(written->path, {});
    QVERIFY(!modules.frames(written->path, 0));
    QVERIFY(!modules.frames("unknown", 1));
  }

  void frames_are_those_of_pytorch() {
    const auto g = golden("pycodecache");
    SourceModules modules("/nowhere");
    LineMap lines;
    for (const auto& item : g.at("linemap")) lines.emplace_back(item.at(0), item.at(1));
    modules.add("m", lines);
    for (const auto& [line, wanted] : g.at("stack_frames").items()) {
      const auto frames = modules.frames("m", std::stoll(line));
      QCOMPARE(frames.has_value(), !wanted.is_null());
      if (!frames) continue;
      nlohmann::ordered_json json = nlohmann::ordered_json::array();
      for (const auto& f : *frames) json.push_back({{"filename", f.filename}, {"line", f.line}, {"name", f.name}});
      QCOMPARE(json, wanted);
    }
    modules.clear();
    QVERIFY(modules.frames("m", 1));  // line maps stay
  }

  void an_edited_file_is_known_and_kept() {
    QTemporaryDir folder;
    SourceModules modules(folder.path().toStdString());
    const auto module = modules.write("print(1)");
    QCOMPARE(modules.edited(*module), std::optional<bool>(false));
    std::ofstream(module->path) << "print(2)";
    QVERIFY(modules.write("print(1)"));
    QCOMPARE(modules.edited(*module), std::optional<bool>(true));
    modules.add(module->path, {});
    modules.clear(true);
    QVERIFY(!std::filesystem::exists(module->path));
    QCOMPARE(modules.edited(*module), std::optional<bool>());
    modules.clear(true);  // what is gone already is no error
  }
};

QTEST_APPLESS_MAIN(TestSourceModules)
#include "test_source_modules.moc"
