// SPDX-License-Identifier: Apache-2.0
#include "keyhole/base/records.h"

#include <QtTest>

#include "keyhole/base/pool.h"

using namespace keyhole;

class TestRecords : public QObject {
  Q_OBJECT
 private slots:
  void compile_ids_as_pytorch_prints_them() {
    for (const char* text : {"0/0", "12/3", "!1/0/2", "!4"}) {
      const auto id = CompileId::parse(text);
      QVERIFY2(id.has_value(), text);
      QCOMPARE(id->text(), std::string(text));
    }
    for (const char* text : {"", "0", "0/", "/0", "a/b", "0/0/0", "!", "!1/2", "0/0 "})
      QVERIFY2(!CompileId::parse(text), text);
  }
  void names_and_layers_agree() {
    for (int i = 1; i <= 8; ++i) {
      const auto layer = static_cast<Layer>(i);
      QCOMPARE(layer_named(name_of(layer)), std::optional(layer));
    }
    QVERIFY(!layer_named("nonsense"));
  }
  void a_pool_gives_one_pointer_for_one_component() {
    ComponentPool pool;
    Digest d;
    d.bytes[0] = 7;
    const ComponentPtr a = pool.intern("gm", d, "text");
    QCOMPARE(pool.intern("gm", d, "text"), a);
    QVERIFY(pool.intern("gm", d, "other text") != a);
    QCOMPARE(pool.size(), std::size_t{2});
  }
};

QTEST_APPLESS_MAIN(TestRecords)
#include "test_records.moc"
