// SPDX-License-Identifier: Apache-2.0
#include "format.h"

#include <QtTest>

using namespace keyhole::cli;

class TestFormat : public QObject {
  Q_OBJECT
 private slots:
  void spans_as_a_person_says_them() {
    QCOMPARE(seconds_text(-1), std::string("-"));
    QCOMPARE(seconds_text(0), std::string("0 ms"));
    QCOMPARE(seconds_text(0.0824), std::string("82 ms"));
    QCOMPARE(seconds_text(0.9996), std::string("1.0 s"));
    QCOMPARE(seconds_text(3.14), std::string("3.1 s"));
    QCOMPARE(seconds_text(99.96), std::string("1 min 40 s"));
    QCOMPARE(seconds_text(125), std::string("2 min 5 s"));
    QCOMPARE(seconds_text(3 * 3600 + 240), std::string("3 h 4 min"));
  }
  void sizes_as_a_person_says_them() {
    QCOMPARE(size_text(-1), std::string("-"));
    QCOMPARE(size_text(999), std::string("999 B"));
    QCOMPARE(size_text(1000), std::string("1.0 KB"));
    QCOMPARE(size_text(83'211), std::string("83 KB"));
    QCOMPARE(size_text(999'700), std::string("1.0 MB"));
    QCOMPARE(size_text(5'368'709'120), std::string("5.4 GB"));
  }
  void counts_know_their_plural() {
    QCOMPARE(count_text(1, "hit"), std::string("1 hit"));
    QCOMPARE(count_text(0, "hit"), std::string("0 hits"));
    QCOMPARE(count_text(2, "miss", "misses"), std::string("2 misses"));
  }
  void today_is_a_time_of_day() {
    qputenv("TZ", "UTC");
    tzset();
    constexpr keyhole::Nanoseconds kSecond = 1'000'000'000;
    QCOMPARE(time_text(36'072 * kSecond, 50'000 * kSecond), std::string("10:01:12"));
    QCOMPARE(time_text(36'072 * kSecond, 90'000 * kSecond), std::string("1970-01-01 10:01"));
    QCOMPARE(time_text(keyhole::kUnknownTime, 0), std::string("-"));
  }
  void texts_cannot_steer_the_terminal() {
    QCOMPARE(shorten("a\033[31mb\r\n\tc\x7f", 99), std::string("a [31mb   c "));
    QCOMPARE(shorten("\xc2\x9b"
                     "31m",
                     99),
             std::string(" 31m"));                                             // C1: CSI
    QCOMPARE(shorten("\xff\xc0\xaf", 99), std::string("\uFFFD\uFFFD\uFFFD"));  // no UTF-8, overlong
    QCOMPARE(shorten("\xed\xa0\x80", 99), std::string("\uFFFD\uFFFD\uFFFD"));  // a surrogate
    QCOMPARE(printable("a\nb"), std::string("a\nb"));
  }
  void what_is_cut_is_told() {
    QCOMPARE(shorten("abcdef", 6), std::string("abcdef"));
    QCOMPARE(shorten("abcdefg", 6), std::string("abcde…"));
    QCOMPARE(shorten("äöüß", 3), std::string("äö…"));
    QCOMPARE(columns("äöü…"), std::size_t{4});
    QCOMPARE(padded("ä", 3), std::string("ä  "));
  }
  void words_for_a_shell() {
    QCOMPARE(shell_line({"python", "train.py", "a b", "it's", ""}), std::string("python train.py 'a b' 'it'\\''s' ''"));
    QCOMPARE(program_text({"/usr/bin/python3", "/home/ada/train.py", "/data"}), std::string("python3 train.py /data"));
    QCOMPARE(program_text({"/opt/bin/tool", "/data"}), std::string("tool /data"));
  }
};

QTEST_APPLESS_MAIN(TestFormat)
#include "test_format.moc"
