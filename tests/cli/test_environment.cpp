// SPDX-License-Identifier: Apache-2.0
#include "environment.h"

#include <QJsonDocument>
#include <QJsonObject>
#include <QtTest>

using namespace keyhole::cli;

class TestEnvironment : public QObject {
  Q_OBJECT
  static QJsonObject variables() {
    return QJsonDocument::fromJson(QByteArray::fromStdString(environment_json())).object();
  }
 private slots:
  void what_matters_is_kept_and_secrets_are_not() {
    qputenv("TORCHINDUCTOR_TEST", "1");
    qputenv("TORCHINDUCTOR_REDIS_URL", "redis://ada:secret@cache:6379/0");
    qputenv("TORCH_ACCESS_TOKEN", "secret");
    qputenv("UNRELATED_TEST", "1");
    const QJsonObject found = variables();
    QCOMPARE(found["TORCHINDUCTOR_TEST"].toString(), QString("1"));
    QCOMPARE(found["TORCHINDUCTOR_REDIS_URL"].toString(), QString("redis://…@cache:6379/0"));
    QVERIFY(!found.contains("TORCH_ACCESS_TOKEN"));
    QVERIFY(!found.contains("UNRELATED_TEST"));
  }
  void the_cache_folder_is_the_one_that_pytorch_takes() {
    qputenv("TORCHINDUCTOR_CACHE_DIR", "/caches/./mine");
    QCOMPARE(inductor_cache_dir(), std::string("/caches/mine"));
    qunsetenv("TORCHINDUCTOR_CACHE_DIR");
    qputenv("TMPDIR", "/var/tmp");
    qputenv("LOGNAME", "ada:l");
    QCOMPARE(inductor_cache_dir(), std::string("/var/tmp/torchinductor_ada_l"));
    qputenv("TMPDIR", "/no/such/folder");
    qunsetenv("TEMP");
    qunsetenv("TMP");
    QCOMPARE(inductor_cache_dir(), std::string("/tmp/torchinductor_ada_l"));
  }
  void the_default_store_follows_the_desktops_rules() {
    qputenv("HOME", "/home/ada");
    qunsetenv("KEYHOLE_STORE");
    qunsetenv("XDG_DATA_HOME");
    QCOMPARE(default_store(), std::string("/home/ada/.local/share/keyhole"));
    qputenv("XDG_DATA_HOME", "/data");
    QCOMPARE(default_store(), std::string("/data/keyhole"));
    qputenv("KEYHOLE_STORE", "/stores/one");
    QCOMPARE(default_store(), std::string("/stores/one"));
  }
  void switches_that_leave_nothing_to_see_are_named() {
    QVERIFY(blind_spots().empty());
    qputenv("TORCHINDUCTOR_FORCE_DISABLE_CACHES", "1");
    QCOMPARE(blind_spots().size(), std::size_t{1});
    QVERIFY(blind_spots()[0].starts_with("TORCHINDUCTOR_FORCE_DISABLE_CACHES=1"));
  }
};

QTEST_APPLESS_MAIN(TestEnvironment)
#include "test_environment.moc"
