// SPDX-License-Identifier: Apache-2.0
#include "inspector/core/text_diff.h"

#include <QtTest>

using namespace keyhole::inspector;

namespace {

QString marked(const QString& line, const std::vector<Span>& spans) {
  QStringList words;
  for (const Span& s : spans) words << line.mid(s.begin, s.length);
  return words.join(u'|');
}

}  // namespace

class TestTextDiff : public QObject {
  Q_OBJECT
 private slots:
  void words_that_differ_are_marked() {
    const QString a = QStringLiteral("shape=torch.Size([8, 16]), dtype=float32"),
                  b = QStringLiteral("shape=torch.Size([16, 16]), dtype=float32");
    std::vector<Span> left, right;
    mark_words(a, b, left, right);
    QCOMPARE(marked(a, left), QStringLiteral("8"));
    QCOMPARE(marked(b, right), QStringLiteral("16"));
  }

  void a_changed_line_stays_beside_its_former_self() {
    const auto lines = diff_texts(QStringLiteral("a\nmul = x * 2\nc"), QStringLiteral("a\nmul = x * 3\nc"), -1);
    QCOMPARE(lines.size(), std::size_t{3});
    QCOMPARE(lines[1].kind, DiffLine::Kind::changed);
    QCOMPARE(marked(lines[1].left, lines[1].left_marks), QStringLiteral("2"));
    QCOMPARE(lines[2].left_number, 3);
  }

  void added_and_removed_lines_keep_the_rest_aligned() {
    const auto lines = diff_texts(QStringLiteral("one\ntwo\nthree"), QStringLiteral("zero\none\nthree\nfour"), -1);
    QStringList kinds;
    for (const DiffLine& l : lines)
      kinds << QStringLiteral("%1%2/%3").arg(int(l.kind)).arg(l.left_number).arg(l.right_number);
    QCOMPARE(kinds, (QStringList{QStringLiteral("30/1"), QStringLiteral("01/2"), QStringLiteral("22/0"),
                                 QStringLiteral("03/3"), QStringLiteral("30/4")}));
  }

  void equal_stretches_fold() {
    QStringList a;
    for (int i = 0; i < 100; ++i) a << QStringLiteral("line %1").arg(i);
    QStringList b = a;
    b[50] = QStringLiteral("line fifty");
    const auto lines = diff_texts(a.join(u'\n'), b.join(u'\n'), 3);
    QCOMPARE(lines.size(), std::size_t{9});  // a fold, 3 lines, the change, 3 lines, a fold
    QCOMPARE(lines.front().folded, 47);
    QCOMPARE(lines.back().folded, 46);
  }

  void nothing_is_lost() {
    // Every line of both sides appears once, in order, whatever the texts.
    QStringList a, b;
    for (int i = 0; i < 400; ++i) a << QString::number(i * 7919 % 13), b << QString::number(i * 104729 % 11);
    QStringList left, right;
    for (const DiffLine& l : diff_texts(a.join(u'\n'), b.join(u'\n'), -1)) {
      if (l.left_number > 0) left << l.left;
      if (l.right_number > 0) right << l.right;
    }
    QCOMPARE(left, a);
    QCOMPARE(right, b);
  }

  void large_and_different_texts_come_to_an_end() {
    const QString a = QStringLiteral("alpha beta\n").repeated(15'000),
                  b = QStringLiteral("gamma delta\n").repeated(15'000);
    QVERIFY(!diff_texts(a, b, 3).empty());
  }
};

QTEST_APPLESS_MAIN(TestTextDiff)
#include "test_text_diff.moc"
