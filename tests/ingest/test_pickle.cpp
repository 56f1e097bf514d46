// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/pickle.h"

#include <QtTest>

#include <random>

using namespace keyhole::pickle;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

std::string little(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string hex(const char* text) {
  return QByteArray::fromHex(text).toStdString();
}

/// An object as pickle writes it: class, no arguments, state, built from Python's protocol 4 by hand.
std::string object_with(const std::string& attribute, const std::string& value_opcodes) {
  std::string out = "\x80\x04\x8c\x01m\x8c\x01"s + "C" + "\x93)\x81}(";
  out += "\x8c"s + static_cast<char>(attribute.size()) + attribute + value_opcodes + "ub.";
  return out;
}

}  // namespace

class TestPickle : public QObject {
  Q_OBJECT
 private slots:
  /// pickle.dumps([1, 2.5, 'aé\n', b'\x00\xff', (1,), {1: 2, 'a': []}, {1}, frozenset({3}), None, True, 2**70, -5,
  /// -2**40], protocol) of CPython 3.11.
  void every_protocol_gives_the_same_values_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("protocol");
    QTest::newRow("0") << QByteArray(
                              "286c70300a49310a6146322e350a615661e95c75303030610a70310a61635f636f646563730a656e636f6465"
                              "0a70320a28565c7530303030ff0a70330a566c6174696e310a70340a7470350a5270360a612849310a747037"
                              "0a61286470380a49310a49320a7356610a70390a286c7031300a7361635f5f6275696c74696e5f5f0a736574"
                              "0a7031310a28286c7031320a49310a61747031330a527031340a61635f5f6275696c74696e5f5f0a66726f7a"
                              "656e7365740a7031350a28286c7031360a49330a61747031370a527031380a614e614930310a614c31313830"
                              "3539313632303731373431313330333432344c0a61492d350a614c2d313039393531313632373737364c0a61"
                              "2e")
                       << 0;
    QTest::newRow("1") << QByteArray(
                              "5d7100284b01474004000000000000580400000061c3a90a7101635f636f646563730a656e636f64650a7102"
                              "28580300000000c3bf710358060000006c6174696e317104747105527106284b017471077d7108284b014b02"
                              "58010000006171095d710a75635f5f6275696c74696e5f5f0a7365740a710b285d710c4b016174710d52710e"
                              "635f5f6275696c74696e5f5f0a66726f7a656e7365740a710f285d71104b03617471115271124e4930310a4c"
                              "313138303539313632303731373431313330333432344c0a4afbffffff4c2d31303939353131363237373736"
                              "4c0a652e")
                       << 1;
    QTest::newRow("2") << QByteArray(
                              "80025d7100284b01474004000000000000580400000061c3a90a7101635f636f646563730a656e636f64650a"
                              "7102580300000000c3bf710358060000006c6174696e3171048671055271064b018571077d7108284b014b02"
                              "58010000006171095d710a75635f5f6275696c74696e5f5f0a7365740a710b5d710c4b016185710d52710e63"
                              "5f5f6275696c74696e5f5f0a66726f7a656e7365740a710f5d71104b03618571115271124e888a0900000000"
                              "00000000404afbffffff8a060000000000ff652e")
                       << 2;
    QTest::newRow("3") << QByteArray(
                              "80035d7100284b01474004000000000000580400000061c3a90a7101430200ff71024b018571037d7104284b"
                              "014b0258010000006171055d710675636275696c74696e730a7365740a71075d71084b016185710952710a63"
                              "6275696c74696e730a66726f7a656e7365740a710b5d710c4b036185710d52710e4e888a0900000000000000"
                              "00404afbffffff8a060000000000ff652e")
                       << 3;
    QTest::newRow("4") << QByteArray(
                              "80049553000000000000005d94284b014740040000000000008c0461c3a90a94430200ff944b0185947d9428"
                              "4b014b028c0161945d94758f94284b0190284b0391944e888a090000000000000000404afbffffff8a060000"
                              "000000ff652e")
                       << 4;
    QTest::newRow("5") << QByteArray(
                              "80059553000000000000005d94284b014740040000000000008c0461c3a90a94430200ff944b0185947d9428"
                              "4b014b028c0161945d94758f94284b0190284b0391944e888a090000000000000000404afbffffff8a060000"
                              "000000ff652e")
                       << 5;
  }

  void every_protocol_gives_the_same_values() {
    QFETCH(QByteArray, bytes);
    QFETCH(int, protocol);
    const std::string input = hex(bytes.constData());
    const Document d = Document::parse(input);
    QVERIFY2(!d.problem(), d.problem() ? d.problem()->what.c_str() : "");
    QCOMPARE(d.consumed(), input.size());
    const Value root = d.root();
    QCOMPARE(root.kind(), Kind::list);
    QCOMPARE(*root.at(0).integer(), 1);
    QCOMPARE(*root.at(1).real(), 2.5);
    QCOMPARE(root.at(2).text(), "a\xc3\xa9\n"sv);
    if (protocol >= 3) {
      QCOMPARE(root.at(3).bytes(), "\x00\xff"sv);
    } else {
      QCOMPARE(root.at(3).name(), "encode"sv);
      QCOMPARE(root.at(3).args().at(0).text(), "\x00\xc3\xbf"sv);
    }
    QCOMPARE(*root.at(4).at(0).integer(), 1);
    QCOMPARE(root.at(5).size(), 2u);
    QCOMPARE(root.at(5).get("a").kind(), Kind::list);
    Value last;
    for (const Value v : root.items()) last = v;
    QCOMPARE(*last.integer(), -(std::int64_t{1} << 40));
  }

  void objects_are_calls_with_attributes() {
    const std::string input = object_with("key", "\x8c\x03"s + "abc");
    const Document d = Document::parse(input);
    QVERIFY(!d.problem());
    QCOMPARE(d.root().kind(), Kind::call);
    QCOMPARE(d.root().module(), "m"sv);
    QCOMPARE(d.root().name(), "C"sv);
    QCOMPARE(d.root().attribute("key").text(), "abc"sv);
    QVERIFY(!d.root().attribute("other"));
    QCOMPARE(d.root().attribute("other").text(), ""sv);
  }

  void slots_are_attributes_too() {
    const std::string input =
        "\x80\x04\x8c\x01m\x8c\x01"
        "C\x93)\x81N}\x8c\x01"
        "aK\x07s\x86"
        "b."s;
    const Document d = Document::parse(input);
    QVERIFY(!d.problem());
    QCOMPARE(*d.root().attribute("a").integer(), 7);
  }

  void old_style_objects_and_persistent_ids() {
    const Document inst = Document::parse("(K\x01ios\nsystem\n.");
    QVERIFY(!inst.problem());
    QCOMPARE(inst.root().name(), "system"sv);
    QCOMPARE(*inst.root().args().at(0).integer(), 1);
    const Document obj = Document::parse("(cm\nC\nK\x02o.");
    QVERIFY(!obj.problem());
    QCOMPARE(*obj.root().args().at(0).integer(), 2);
    const Document persistent = Document::parse("\x8c\x02idQ."s);
    QCOMPARE(persistent.root().kind(), Kind::persistent);
    QCOMPARE(persistent.root().args().text(), "id"sv);
  }

  void what_would_run_is_told_and_not_run() {
    const QString witness = QDir::temp().filePath("keyhole-pickle-ran");
    QFile::remove(witness);
    const std::string command = "touch " + witness.toStdString();
    std::string input = "\x80\x04\x8c\x05posix\x8c\x06system\x93"s;
    input += "\x8c"s + static_cast<char>(command.size()) + command + "\x85R.";
    const Document d = Document::parse(input);
    QVERIFY(!d.problem());
    QCOMPARE(d.callables().size(), 1u);
    QCOMPARE(d.callables()[0].module, "posix"sv);
    QCOMPARE(d.callables()[0].name, "system"sv);
    QCOMPARE(d.callables()[0].how, CallKind::reduce);
    QVERIFY(d.callables()[0].suspicious);
    QCOMPARE(d.root().display(), "posix.system('" + command + "',)");
    QVERIFY(!QFileInfo::exists(witness));
  }

  void suspicion() {
    for (const auto& [module, name] : {std::pair{"os", "system"},
                                       {"subprocess", "Popen"},
                                       {"builtins", "eval"},
                                       {"builtins", "exec"},
                                       {"__builtin__", "eval"},
                                       {"torch", "load"},
                                       {"torch.os", "x"},
                                       {"importlib", "import_module"},
                                       {"", ""}}) {
      QVERIFY2(is_suspicious(module, name), name);
    }
    for (const auto& [module, name] : {std::pair{"torch", "Size"},
                                       {"builtins", "list"},
                                       {"builtins", "set"},
                                       {"collections", "OrderedDict"},
                                       {"torch._inductor.output_code", "CompiledFxGraph"}}) {
      QVERIFY2(!is_suspicious(module, name), name);
    }
  }

  void depth_overflows_nothing_data() {
    QTest::addColumn<QByteArray>("bytes");
    const int deep = 100'000;
    QTest::newRow("lists") << "\x80\x04" + QByteArray(deep, ']') + QByteArray(deep - 1, 'a') + ".";
    QTest::newRow("tuples") << "\x80\x04)" + QByteArray(deep, '\x85') + ".";
    QTest::newRow("marks") << "\x80\x04" + QByteArray(deep, '(') + QByteArray(deep, 't') + ".";
  }

  void depth_overflows_nothing() {
    QFETCH(QByteArray, bytes);
    const std::string input = bytes.toStdString();
    const Document d = Document::parse(input);
    QVERIFY(!d.problem());
    QVERIFY(d.root().display().size() < 500);
  }

  void sharing_and_cycles_cost_nothing() {
    // Each list holds the one before twice: 2^60 leaves if it were unfolded.
    std::string input = "\x80\x04]q\x00"s;
    for (char i = 0; i < 60; ++i) input += "](h"s + i + "h" + i + "eq" + static_cast<char>(i + 1);
    const Document shared = Document::parse(input + ".");
    QVERIFY(!shared.problem());
    QVERIFY(shared.root().display(1000).size() <= 1003);
    const Document cycle = Document::parse("\x80\x04]q\x00h\x00"s + "a.");
    QVERIFY(!cycle.problem());
    QVERIFY(cycle.root().display(1000).size() <= 1003);
  }

  void declared_lengths_are_checked_first_data() {
    QTest::addColumn<QByteArray>("bytes");
    const auto huge = QByteArray::fromStdString(little(std::uint64_t{1} << 63, 8));
    QTest::newRow("text") << "\x80\x04\x8d" + huge + "abc";
    QTest::newRow("bytes") << "\x80\x04\x8e" + huge + "abc";
    QTest::newRow("bytearray") << "\x80\x05\x96" + huge + "abc";
    QTest::newRow("frame") << "\x80\x04\x95" + huge + "abc";
    QTest::newRow("long") << QByteArray(
        "\x80\x04\x8b\xff\xff\xff\x7f"
        "abc",
        9);
    QTest::newRow("memo") << QByteArray("\x80\x04Nr\xff\xff\xff\xff.", 9);
  }

  void declared_lengths_are_checked_first() {
    QFETCH(QByteArray, bytes);
    const std::string input = bytes.toStdString();
    const Document d = Document::parse(input);
    QVERIFY(d.problem());
    QVERIFY(d.problem()->offset < input.size());
  }

  void a_limit_on_values_holds() {
    const std::string input(1000, 'N');
    const Document d = Document::parse(input, Limits{100});
    QVERIFY(d.problem());
    QVERIFY(QString::fromStdString(d.problem()->what).contains("100 values"));
  }

  void cut_at_every_byte_keeps_what_was_readable() {
    const std::string input = object_with("first",
                                          "\x8c\x03"
                                          "abc\x8c\x06second](K\x01K\x02"
                                          "e"s);
    QVERIFY(!Document::parse(input).problem());
    for (std::size_t size = 0; size < input.size(); ++size) {
      const std::string part = input.substr(0, size);
      const Document d = Document::parse(part);
      QVERIFY2(d.problem(), std::to_string(size).c_str());
      QVERIFY(d.problem()->offset <= size);
      if (size > input.find("abc") + 3) QCOMPARE(d.root().attribute("first").text(), "abc"sv);
    }
    const Document d = Document::parse(std::string_view(input).substr(0, input.size() - 4));
    QCOMPARE(*d.root().attribute("second").at(0).integer(), 1);
  }

  void random_bytes_break_nothing() {
    std::mt19937 random(20261121);
    const std::string operations =
        "()]}.NKMJIVSUTCBXtTaeusdl012pqrghjcRoibPQ\x80\x81\x82\x85\x86\x87\x88\x8c\x8f\x90\x91\x93\x94\x95"s;
    for (int round = 0; round < 20'000; ++round) {
      std::string input;
      const int size = static_cast<int>(random() % 60);
      for (int i = 0; i < size; ++i) {
        input += random() % 4 == 0 ? static_cast<char>(random()) : operations[random() % operations.size()];
      }
      const Document d = Document::parse(input);
      static_cast<void>(d.root().display(200));
      static_cast<void>(d.root().attribute("x").text());
    }
  }
};

QTEST_APPLESS_MAIN(TestPickle)
#include "test_pickle.moc"
