// SPDX-License-Identifier: Apache-2.0
#include "includes.h"

#include <QTest>

using namespace keyhole;

namespace {

QStringList names(std::string_view text) {
  QStringList out;
  for (const auto& n : questions_of(text).names)
    out << (n.quoted ? "q:" : "a:") + QString::fromUtf8(n.text.data(), static_cast<int>(n.text.size()));
  return out;
}

}  // namespace

class TestIncludes : public QObject {
  Q_OBJECT

 private slots:
  void directives() {
    QCOMPARE(names("#include <a>\n  #  include_next \"b\"\n/* c */ #include <d/e.h>\nint x; #include <no>\n"),
             (QStringList{"a:a", "q:b", "a:d/e.h"}));
    QCOMPARE(names("#if 0\n#include <inactive>\n#endif\n#include \\\n <next>\n"),
             (QStringList{"a:inactive", "a:next"}));
  }

  void hasInclude() {
    QCOMPARE(names("#if defined(X) && \\\n __has_include( <a.h> )\n#elif HAS(\"b.h\")\n#if 1 < 2 && 3 > 2\n"),
             (QStringList{"a:a.h", "q:b.h"}));
    QVERIFY(questions_of("#if __has_include(NAME)\n").hidden_question);
    QVERIFY(!questions_of("#ifdef __has_include\n#if defined(__has_include) && __has_include(<x>)\n").hidden_question);
    const std::string text = "#define HAS(x) __has_include(x)\n#define ALSO(x) HAS(x)\n#if ALSO(N)\n";
    const auto asked = questions_of(text);
    QCOMPARE(asked.wrappers.size(), std::size_t{1});
    std::vector<std::string> wrappers{std::string(asked.wrappers.front())};
    QVERIFY(asks_hidden(text, wrappers));
    wrappers = {"HAS"};
    QVERIFY(!asks_hidden("#if HAS(<x>) || HAS (\"y\")\n", wrappers));
  }

  /// Wherever it stands, and whatever stands before it.
  void tellingWordsAreFoundEverywhere() {
    for (const std::string word : {"__TIME__", "__DATE__", "__TIMESTAMP__", ".incbin"})
      for (const std::string before :
           {"", "_", "__", "___", "x.in", ".includ", "__TIME", "__DAT", "S", "d__TIM", "...."})
        for (std::size_t pad = 0; pad < 9; ++pad) {
          const auto asked = questions_of(std::string(pad, 'e') + before + word);
          QVERIFY2((word == ".incbin"         ? asked.unseen
                    : word == "__TIMESTAMP__" ? asked.timestamp
                                              : asked.time),
                   (before + word).c_str());
        }
    for (const char* other : {"__TIME_", "__DATE", "_TIME__", ".incbi", ".include <x>", "__TIMESTAMP_ _"}) {
      const auto asked = questions_of(other);
      QVERIFY2(!asked.time && !asked.timestamp && !asked.unseen, other);
    }
  }

  void macrosOfTheTime() {
    QVERIFY(questions_of("f(__DATE__);").time);
    QVERIFY(questions_of("f(__TIMESTAMP__);").timestamp);
    QVERIFY(questions_of("asm(\".incbin \\\"x\\\"\");").unseen);
  }

  void filesThatNoPreprocessorSees() {
    QVERIFY(questions_of("asm(\".include \\\"x\\\"\");").unseen);
    QVERIFY(questions_of("#embed <x>\n").unseen);
    QVERIFY(!questions_of("set.include(x); // a.include\n").unseen);
    QVERIFY(questions_of("# pragma GCC dependency \"x\"\n").file_time);
  }

  void aMacroThatAsksForALiteral() {
    const auto asked = questions_of("#define HAS __has_include(<x.h>)\n#if HAS\n");
    QVERIFY(asked.wrappers.empty());
    QCOMPARE(asked.names.size(), std::size_t{1});
    QCOMPARE(asked.names.front().text, std::string("x.h"));
    QCOMPARE(questions_of("#define HAS(x) __has_include(x)\n").wrappers.size(), std::size_t{1});
  }

  void lineMarkers() {
    std::vector<Entered> entered;
    constexpr std::string_view text =
        "# 0 \"a.cu\"\n# 0 \"<built-in>\"\n# 1 \"/usr/include/stdc-predef.h\" 1 3 4\n# 0 \"<command-line>\" 2\n"
        "# 1 \"a.cu\"\n# 1 \"h\\\"x.h\" 1\n# 1 \"deep.h\" 1\n# 2 \"h\\\"x.h\" 2\n# 2 \"a.cu\" 2\n# 7 \"other.y\"\n# 1 "
        "\"last.h\" 1\n";
    const std::vector<Entered> expected{{"a.cu", ""},
                                        {"/usr/include/stdc-predef.h", "a.cu"},
                                        {"h\"x.h", "a.cu"},
                                        {"deep.h", "h\"x.h"},
                                        {"last.h", "a.cu"}};
    QCOMPARE(LineMarkers(entered).read(text), text.size());
    QCOMPARE(entered, expected);
    for (std::size_t cut = 1; cut < text.size(); ++cut) {  // in two pieces, the second with the line that was cut
      entered.clear();
      LineMarkers markers(entered);
      const std::size_t rest = markers.read(text.substr(0, cut));
      QVERIFY(rest <= cut);
      QCOMPARE(markers.read(text.substr(rest)), text.size() - rest);
      QCOMPARE(entered, expected);
    }
  }

  void headerLines() {
    std::vector<Entered> entered;
    std::string text =
        ". ./h.h\n.. /usr/x.h\n. y.h\na.cpp:1: warning: w\nMultiple include guards may be useful for:\n./h.h\ny.h\n";
    QVERIFY(take_header_lines(text, "a.cpp", entered));
    QCOMPARE(text, std::string("a.cpp:1: warning: w\n"));
    QCOMPARE(entered, (std::vector<Entered>{{"./h.h", "a.cpp"}, {"/usr/x.h", "./h.h"}, {"y.h", "a.cpp"}}));
    text = "! pre.h.gch\n";
    QVERIFY(!take_header_lines(text, "a.cpp", entered));
  }
};

QTEST_GUILESS_MAIN(TestIncludes)
#include "test_includes.moc"
