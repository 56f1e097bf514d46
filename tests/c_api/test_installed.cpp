// SPDX-License-Identifier: Apache-2.0
// The examples, built against an installed tree as a producer would, and run.
#include <QDir>
#include <QFileInfo>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>
#include <nlohmann/json.hpp>

class TestInstalled : public QObject {
  Q_OBJECT
  QTemporaryDir folder_;

  QByteArray run(const QString& program, const QStringList& arguments, int wanted = 0) {
    QProcess process;
    process.setProcessChannelMode(QProcess::MergedChannels);
    process.start(program, arguments);
    if (!process.waitForStarted()) {
      QTest::qFail(qPrintable(program + " does not start"), __FILE__, __LINE__);
      return {};
    }
    process.waitForFinished(240000);
    const auto output = process.readAll();
    if (process.exitCode() != wanted) QTest::qFail((program.toUtf8() + ": " + output).constData(), __FILE__, __LINE__);
    return output;
  }

 private slots:
  void initTestCase() {
    const QString prefix = folder_.filePath("prefix");
    for (const char* component : {"library", "development"})
      run("cmake", {"--install", KEYHOLE_BUILD_DIR, "--prefix", prefix, "--component", component});
    QVERIFY(QFileInfo::exists(prefix + "/include/keyhole.h"));
    run("cmake", {"-S", KEYHOLE_SOURCE_DIR "/examples", "-B", folder_.filePath("build"),
                  "-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_BUILD_TYPE=Debug"});
    run("cmake", {"--build", folder_.filePath("build")});
  }

  void both_producers_share_a_store() {
    const QString store = folder_.filePath("store"), c = folder_.filePath("build/producer_c"),
                  cpp = folder_.filePath("build/producer_cpp");
    QVERIFY(run(c, {store, "a+b", "2", "64"}).startsWith("miss\n"));
    QCOMPARE(run(c, {store, "a+b", "2", "65"}), QByteArray("hit compiled(a+b, -O2)\n"));
    QCOMPARE(run(cpp, {store, "a+b", "2", "66"}), QByteArray("hit compiled(a+b, -O2)\n"));
    QCOMPARE(run(cpp, {store, "a+b", "2", "200"}), QByteArray("miss\n"));  // the guard
    QCOMPARE(run(c, {store, "a+b", "2", "300"}), QByteArray("hit compiled(a+b, -O2)\n"));
    const auto missed = run(c, {store, "a+b", "3", "64"});
    QVERIFY(missed.startsWith("miss\n"));
    const auto why = nlohmann::json::parse(missed.mid(5).toStdString());
    QCOMPARE(why.at("verdict").get<std::string>(), std::string("key_differs"));
    QCOMPARE(why.at("causes").at(0).at("component").get<std::string>(), std::string("options[opt_level]"));
    QCOMPARE(why.at("causes").at(0).at("before").get<std::string>(), std::string("2"));
    QCOMPARE(why.at("causes").at(0).at("after").get<std::string>(), std::string("3"));
    run(c, {}, 2);
  }

  void pkg_config_finds_the_library() {
    const QString prefix = folder_.filePath("prefix");
    QDir lib(prefix + "/lib");
    const auto multiarch = lib.entryList({"*-linux-*"}, QDir::Dirs);
    const QString pc =
        lib.filePath((multiarch.isEmpty() ? QString() : multiarch.first() + "/") + "pkgconfig/keyhole.pc");
    QVERIFY2(QFileInfo::exists(pc), qPrintable(pc));
    const auto flags =
        QString::fromUtf8(run("pkg-config", {"--define-variable=prefix=" + prefix, "--cflags", "--libs", pc}))
            .simplified();
    QVERIFY2(flags.contains("-lkeyhole"), qPrintable(flags));
    run("cc", QStringList{KEYHOLE_SOURCE_DIR "/examples/producer.c", "-o", folder_.filePath("by_pkg_config")} +
                  flags.split(' '));
  }
};

QTEST_APPLESS_MAIN(TestInstalled)
#include "test_installed.moc"
