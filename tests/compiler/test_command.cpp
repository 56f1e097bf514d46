// SPDX-License-Identifier: Apache-2.0
#include "keyhole/compiler/command.h"

#include <QTest>
#include <map>

using namespace keyhole;

namespace {

CompileCommand nvcc(const std::vector<std::string>& arguments,
                    const std::map<std::string, std::string>& variables = {}) {
  return read_command(CompilerKind::nvcc, arguments, [&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}
CompileCommand gcc(const std::vector<std::string>& arguments) {
  return read_command(CompilerKind::gcc, arguments, [](const char*) -> const char* { return nullptr; });
}
std::string told(const CompileCommand& c) {
  std::string out;
  for (const auto& o : c.options) out += o.name + "=" + o.value + (o.origin.empty() ? "" : "@" + o.origin) + ";";
  return out;
}

}  // namespace

class TestCommand : public QObject {
  Q_OBJECT

 private slots:
  void compilerNames() {
    CompilerKind kind{};
    QVERIFY(compiler_named("/usr/local/cuda/bin/nvcc", kind) && kind == CompilerKind::nvcc);
    QVERIFY(compiler_named("x86_64-linux-gnu-g++-12", kind) && kind == CompilerKind::gcc);
    QVERIFY(compiler_named("clang++-14", kind) && kind == CompilerKind::clang);
    QVERIFY(!compiler_named("keyhole", kind));
    QVERIFY(!compiler_named("rustc", kind));
  }

  void spellingsAreOne() {
    const auto a = nvcc({"-c", "a.cu", "-arch", "sm_80", "-O", "3", "-std=c++17", "-I", "x,y", "-o", "a.o"});
    const auto b = nvcc({"--compile", "--gpu-architecture=sm_80", "-O3", "--std", "c++17", "-Ix,y", "a.cu", "-o=b.o"});
    QCOMPARE(a.refusal, std::string());
    QCOMPARE(told(a), std::string("-c=;-arch=sm_80;-O=3;-std=c++17;-I=x,y;"));
    QCOMPARE(told(b), told(a));
    QCOMPARE(a.include_dirs, (std::vector<std::string>{"x", "y"}));
    QCOMPARE(b.output, std::string("b.o"));
  }

  void flagsFromTheEnvironment() {
    const auto c = nvcc({"-c", "a.cu"}, {{"NVCC_PREPEND_FLAGS", "-DA='1 2'"}, {"NVCC_APPEND_FLAGS", "-lineinfo"}});
    QCOMPARE(told(c), std::string("-D=A=1 2@NVCC_PREPEND_FLAGS;-c=;-lineinfo=@NVCC_APPEND_FLAGS;"));
    QCOMPARE(c.output, std::string("a.o"));
    QVERIFY(nvcc({"-c", "a.cu"}, {{"NVCC_APPEND_FLAGS", "-arch=native"}}).refusal.find("GPU of this machine") !=
            std::string::npos);
  }

  void hostOptions() {
    const auto c = nvcc({"-c", "a.cu", "-Xcompiler", "-Wall,-Ihost", "-Xcompiler=-include", "-Xcompiler", "pre.h"});
    QCOMPARE(c.refusal, std::string());
    QCOMPARE(told(c), std::string("-c=;-Xcompiler -W=all;-Xcompiler -I=host;-Xcompiler -include=pre.h;"));
    QCOMPARE(c.include_dirs, std::vector<std::string>{"host"});
    QVERIFY(!nvcc({"-c", "a.cu", "-Xcompiler", "-march=native"}).refusal.empty());
    QVERIFY(!nvcc({"-c", "a.cu", "-fPIC"}).refusal.empty());
    QVERIFY(nvcc({"-forward-unknown-to-host-compiler", "-c", "a.cu", "-fPIC"}).refusal.empty());
  }

  void outputs() {
    QCOMPARE(nvcc({"-ptx", "dir/a.cu"}).output, std::string("a.ptx"));
    QCOMPARE(nvcc({"-cubin", "a.cu", "-odir", "out"}).output, std::string("out/a.cubin"));
    QCOMPARE(gcc({"-S", "a.cc"}).output, std::string("a.s"));
    QCOMPARE(gcc({"-MD", "-c", "a.cc", "-o", "x/b.o"}).dependencies, std::string("x/b.d"));
    QVERIFY(nvcc({"-MD", "-c", "a.cu", "-o", "b.o"}).refusal.find("-MF") != std::string::npos);
  }

  void refusals() {
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"-c", "-"},
                                                                       {"-c"},
                                                                       {"a.cu"},
                                                                       {"-c", "a.cu", "b.cu"},
                                                                       {"-dlink", "a.cu"},
                                                                       {"-c", "a.cu", "--keep"},
                                                                       {"-c", "a.cu", "--such-an-option"},
                                                                       {"-c", "-ptx", "a.cu"},
                                                                       {"-c", "a.cu", "-o"},
                                                                       {"-c", "a.cu", "@no-such-file"},
                                                                       {"-c", "a.cu", "-o", "-"}})
      QVERIFY2(!nvcc(arguments).refusal.empty(), arguments.back().c_str());
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"-c", "a.cc", "-fplugin=x"},
                                                                       {"-c", "a.cc", "-Wp,-MD,x"},
                                                                       {"-c", "a.cc", "-save-temps"},
                                                                       {"-c", "a.cc", "-DNOW=__TIME__"},
                                                                       {"-c", "a.cc", "-fprofile-use"},
                                                                       {"-c", "a.cc", "-gsplit-dwarf"},
                                                                       {"-c", "-x", "c++-header", "a.cc"},
                                                                       {"-c", "a.cc", "-B", "x"}})
      QVERIFY2(!gcc(arguments).refusal.empty(), arguments.back().c_str());
  }

  void words() {
    QCOMPARE(split_words(" a  'b c' \"d \\\" e\" f\\ g ''\n"),
             (std::vector<std::string>{"a", "b c", "d \" e", "f g", ""}));
  }
};

QTEST_GUILESS_MAIN(TestCommand)
#include "test_command.moc"
