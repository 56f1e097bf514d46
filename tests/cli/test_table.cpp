// SPDX-License-Identifier: Apache-2.0
#include "table.h"

#include <QtTest>

using namespace keyhole::cli;

class TestTable : public QObject {
  Q_OBJECT
 private slots:
  void numbers_stand_right_and_empty_columns_go() {
    Table table({{"N", true}, {"RANK"}, {"NAME"}});
    table.add({"7", "", "seven"});
    table.add({"1200", "", "many"});
    QCOMPARE(table.text({}), std::string("   N  NAME\n   7  seven\n1200  many\n"));
  }
  void nothing_at_all_without_rows() { QCOMPARE(Table({{"N"}}).text({}), std::string()); }
  void a_pipe_gets_whole_lines_and_a_terminal_what_fits() {
    Table table({{"N"}, {"NAME"}});
    table.add({"1", "a name of some length"});
    QVERIFY(table.text({}).find("a name of some length") != std::string::npos);
    Terminal narrow;
    narrow.width = 16;
    QCOMPARE(table.text(narrow), std::string("N  NAME\n1  a name of so…\n"));
  }
  void colour_does_not_move_columns() {
    Table table({{"A"}, {"B"}});
    table.add({"x", "y"}, {{0, Style::good}});
    Terminal coloured;
    coloured.colour = true;
    QVERIFY(table.text(coloured).find("\033[32mx\033[0m  y\n") != std::string::npos);
    QCOMPARE(table.text({}), std::string("A  B\nx  y\n"));
  }
};

QTEST_APPLESS_MAIN(TestTable)
#include "test_table.moc"
