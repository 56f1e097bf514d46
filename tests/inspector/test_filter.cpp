// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/filter.h"

#include <QtTest>

using namespace keyhole;
using namespace keyhole::inspector;

namespace {

LookupRow row(Layer layer, Outcome outcome, double cost_seconds, const char* function = "forward") {
  LookupRow r;
  r.id = 7;
  r.run_name = "warm up";
  r.function = function;
  r.record.layer = layer;
  r.record.outcome = outcome;
  r.record.cost = Nanoseconds(cost_seconds * 1e9);
  r.record.compile = *CompileId::parse("0/1");
  r.record.key = "fabc";
  return r;
}

bool accepts(const QString& text, const LookupRow& r) {
  const Filter f = parse_filter(text);
  return !f.error && matches(f.root, r);
}

}  // namespace

class TestFilter : public QObject {
  Q_OBJECT
 private slots:
  void conditions_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<bool>("holds");
    const std::pair<const char*, bool> cases[] = {
        {"", true},
        {"outcome:miss", true},
        {"outcome:hit", false},
        {"outcome=MISS", true},
        {"outcome!=hit", true},
        {"layer:fx_graph outcome:miss", true},
        {"layer:fx_graph AND outcome:hit", false},
        {"layer:triton OR outcome:miss", true},
        {"NOT outcome:hit", true},
        {"-outcome:miss", false},
        {"(layer:triton OR layer:fx_graph) -outcome:hit", true},
        {"layer:triton OR layer:code outcome:miss", false},  // AND binds closer
        {"cost>3s", true},
        {"cost>3200ms", false},
        {"cost>=3.1s", true},
        {"cost<1min", true},
        {"cost=3.1", true},   // a bare number is in seconds
        {"saved>0s", false},  // not known
        {"run:warm", true},
        {"run=\"warm up\"", true},
        {"run=warm", false},
        {"compile=0/1", true},
        {"compile:1/0", false},
        {"FORWARD", true},
        {"\"warm up\" fab", true},
        {"backward", false},
        {"function:/^for.*d$/", true},
        {"/^fab/", true},
        {"function:/^ward/", false},
        {"id>=7 id<8", true},
    };
    for (const auto& [text, holds] : cases) QTest::newRow(text) << QString::fromLatin1(text) << holds;
  }
  void conditions() {
    QFETCH(QString, text);
    QFETCH(bool, holds);
    const Filter f = parse_filter(text);
    QVERIFY2(!f.error, f.error ? qPrintable(f.error->message) : "");
    QCOMPARE(accepts(text, row(Layer::fx_graph, Outcome::miss, 3.1)), holds);
  }

  void errors_stand_at_their_column_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<int>("column");
    QTest::addColumn<QString>("says");
    const std::tuple<const char*, int, const char*> cases[] = {
        {"layr:fx_graph", 0, "did you mean 'layer'"},
        {"outcome:mis", 8, "did you mean 'miss'"},
        {"outcome:miss cost>fast", 18, "duration"},
        {"cost>3parsec", 5, "duration"},
        {"run>5", 3, "is a text"},
        {"cost:/3/", 5, "is a figure"},
        {"\"open", 0, "not closed"},
        {"run:/a(/", 7, "regular expression"},
        {"(outcome:miss", 0, "not closed"},
        {"outcome:miss)", 12, "no '('"},
        {"outcome:", 8, "value is missing"},
        {"outcome:miss AND", 16, "missing"},
        {"OR outcome:miss", 0, "before OR"},
        {":miss", 0, "field is missing"},
        {"time>25:99", 5, "time"},
        {"rank=many", 5, "number"},
    };
    for (const auto& [text, column, says] : cases)
      QTest::newRow(text) << QString::fromLatin1(text) << column << QString::fromLatin1(says);
  }
  void errors_stand_at_their_column() {
    QFETCH(QString, text);
    QFETCH(int, column);
    QFETCH(QString, says);
    const Filter f = parse_filter(text);
    QVERIFY(f.error);
    QVERIFY2(f.error->message.contains(says), qPrintable(f.error->message));
    QCOMPARE(f.error->column, column);
  }

  void any_text_is_answered() {
    // Hostile input ends in a filter or an error, not in a crash or a deep recursion.
    for (const QString& text : {QString(100'000, u'('), QString(100'000, u'-'), QStringLiteral("NOT ").repeated(20'000),
                                QString(QChar(0xd800)), QStringLiteral("\\"), QStringLiteral("a:\"\\")}) {
      const Filter f = parse_filter(text);
      QVERIFY(f.error || !f.root.children.empty());
    }
  }

  void sizes_and_states_of_entries() {
    EntryRow e;
    e.record.size = 5 * 1024 * 1024;
    e.record.state = EntryState::damaged;
    QVERIFY(matches(parse_filter(QStringLiteral("size>=5MiB state:damaged")).root, e));
    QVERIFY(!matches(parse_filter(QStringLiteral("size<5MB")).root, e));
  }

  void completion() {
    QVERIFY(complete_filter(QStringLiteral("lay"), 3).contains(QStringLiteral("layer:")));
    QCOMPARE(complete_filter(QStringLiteral("run:a outcome:g"), 15), QStringList{QStringLiteral("outcome:guard_miss")});
    QVERIFY(complete_filter(QStringLiteral("cost>"), 5).isEmpty());
  }

  void chips_come_and_go() {
    const QString text = QStringLiteral("outcome:miss (layer:code OR layer:triton) AND cost>1s -run:\"warm up\"");
    const auto chips = filter_chips(text);
    QCOMPARE(chips.size(), std::size_t{4});
    QCOMPARE(chips[1].text, QStringLiteral("(layer:code OR layer:triton)"));
    QCOMPARE(chips[3].text, QStringLiteral("-run:\"warm up\""));
    QCOMPARE(without_chip(text, chips[2]),
             QStringLiteral("outcome:miss (layer:code OR layer:triton) -run:\"warm up\""));
    QCOMPARE(filter_chips(QStringLiteral("a OR b")).size(), std::size_t{1});
    QCOMPARE(with_condition(QStringLiteral("a OR b"), QStringLiteral("c")), QStringLiteral("(a OR b) c"));
    QCOMPARE(with_condition(QStringLiteral("c"), QStringLiteral("c")), QStringLiteral("c"));
  }

  void quoted_values_come_back() {
    for (const QString& value : {QStringLiteral("A"), QStringLiteral("warm up"), QStringLiteral("a\"b\\c"),
                                 QStringLiteral("-x"), QStringLiteral("/tmp"), QString()}) {
      const Filter f = parse_filter(QStringLiteral("run=") + quoted_value(value));
      QVERIFY2(!f.error, qPrintable(value));
      QCOMPARE(f.root.children.at(0).term.text, value);
    }
  }
};

QTEST_APPLESS_MAIN(TestFilter)
#include "test_filter.moc"
