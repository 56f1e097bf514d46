// SPDX-License-Identifier: Apache-2.0
// PyTorch's tests of its CUDA code cache under their names, and what makes ours sound.
#include <QTest>

#include "compiling.h"
#include "golden.h"
#include "keyhole/compiler/code_cache.h"
#include "keyhole/compiler/kernel_params.h"

using namespace keyhole;

namespace {

constexpr const char* kSaxpy = R"cu(
__global__ void saxpy_device(int n, float a, float* x, float* y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}
extern "C" __attribute__((__visibility__("default"))) int saxpy(int n, float a, float* x, float* y) {
  saxpy_device<<<(n + 255) / 256, 256>>>(n, a, x, y);
  return 0;
}
)cu";

class Codes : public test::Compiling {
 public:
  /// libcuda belongs to the driver; an empty one stands in for it.
  [[nodiscard]] CudaBuild cuda() const {
    CudaBuild build{.arch = "80"};
    if (plain({"sh", "-c", "mkdir -p stubs && echo | gcc -shared -x c - -o stubs/libcuda.so"}).status == 0)
      build.libraries = {path("stubs")};
    return build;
  }
  [[nodiscard]] CodeCacheOptions options(bool torch_compat = false) const {
    return {.root = home / "cache", .store = store(), .torch_compat = torch_compat, .run = {"test", {"test"}}};
  }
  [[nodiscard]] CppRequest cpp(const std::string& code, const std::string& optimized = {}) const {
    CppRequest request{.code = code, .optimized = optimized};
    request.build.cflags = request.optimized_build.cflags = {"O1", "fPIC"};
    request.build.include_dirs = {path("inc")};
    request.build.compile_only = !optimized.empty();
    request.optimized_build.compile_only = true;
    if (optimized.empty()) request.build.cflags.emplace_back("shared");
    request.link_build.cflags = {"shared", "fPIC"};
    return request;
  }
};

#define NEEDS_NVCC NEEDS("nvcc", "the CUDA code cache is not tried")

/// What a library's f() gives.
int result_of(const CodeResult<LoadedCode>& code) {
  if (!code) return -1;
  const auto f = code->library.symbol("f");
  return f ? reinterpret_cast<int (*)()>(*f)() : -2;
}

const char* told(const CodeFailure& failure) {
  static std::string line;
  line = failure.error.line();
  return line.c_str();
}

}  // namespace

class TestCodeCache : public QObject {
  Q_OBJECT

 private slots:
  void test_cuda_load_data() {
    QTest::addColumn<bool>("compat");
    QTest::newRow("sound") << false;
    QTest::newRow("torch_compat") << true;
  }
  void test_cuda_load() {
    NEEDS_NVCC;
    QFETCH(bool, compat);
    Codes c;
    CudaCodeCache cache(c.options(compat), c.cuda());
    const auto object = cache.compile(kSaxpy, "o");
    QVERIFY2(object.has_value(), object ? "" : told(object.error()));
    const auto library = cache.compile(kSaxpy, "so");
    QVERIFY2(library.has_value(), library ? "" : told(library.error()));
    QCOMPARE(object->key, library->key);
    QCOMPARE(object->source, library->source);
    QVERIFY(QFile::exists(QString::fromStdString(object->output)));
    QCOMPARE(object->output, cache.output_path(kSaxpy, "o").value());
    QVERIFY(library->output.ends_with(library->key + ".so"));
    const auto symbols = c.plain({"nm", "-D", QString::fromStdString(library->output)});
    QVERIFY2(symbols.out.contains(" T saxpy"), symbols.told());
    const int runs = c.count(Outcome::miss);
    QCOMPARE(runs, 2);  // one compile, one link

    CudaCodeCache other(c.options(compat), c.cuda());  // another process: nothing runs
    QVERIFY(other.compile(kSaxpy, "so").has_value());
    QCOMPARE(c.count(Outcome::miss), runs);
    const std::string source = read_file(object->source).value();
    QCOMPARE(source.find("// CUDA Compilation cmd\n// nvcc -t=0 ") != std::string::npos, compat);
    QCOMPARE(source.find("// CUDA Linking cmd\n// nvcc -t=0 ") != std::string::npos, compat);

    const auto wrong = cache.load(kSaxpy, "o");
    QVERIFY(!wrong && wrong.error().error.what.starts_with(
                          "Only support loading a .so file for now. Requested file extension: o"));
  }

  void test_compilation_error_data() { test_cuda_load_data(); }
  void test_compilation_error() {
    NEEDS_NVCC;
    QFETCH(bool, compat);
    Codes c;
    std::string wrong = kSaxpy;
    wrong.replace(wrong.find("saxpy_device"), 12, "saxpy_wrong");
    CudaCodeCache cache(c.options(compat), c.cuda());
    auto first = cache.compile(wrong, "o");
    const std::string output = cache.output_path(wrong, "o").value();
    // Where a file changed while nvcc read it, or the clock stood still, the failure is not remembered.
    int runs = 1;
    for (; !read_file(output + ".error") && runs < 5; ++runs) first = cache.compile(wrong, "o");
    QVERIFY(!first && first.error().compile);
    const CompileError& error = *first.error().compile;
    QVERIFY2(error.output.find("identifier \"saxpy_device\" is undefined") != std::string::npos, error.output.c_str());
    QCOMPARE(error.command.front(), std::string("nvcc"));
    QVERIFY(first.error().error.what.starts_with("C++ compile error\n\nCommand:\nnvcc -t=0 "));
    QVERIFY(read_file(output + ".error"));
    const auto file = nlohmann::json::parse(read_file(output + ".error").value());
    QCOMPARE(file[0].get<std::vector<std::string>>(), error.command);
    QCOMPARE(file[1].get<std::string>(), error.output);

    QCOMPARE(c.count(Outcome::miss), runs);
    CudaCodeCache other(c.options(compat), c.cuda());  // from the file
    for (CudaCodeCache* again : {&cache, &other}) {
      const auto second = again->compile(wrong, "o");
      QVERIFY(!second && second.error().compile);
      QCOMPARE(second.error().compile->output, error.output);
    }
    QCOMPARE(c.count(Outcome::miss), runs);
  }

  void errorText() {
    const CompileError error{{"nvcc", "-c", "a b"}, "a.cu(1): error\n"};
    QCOMPARE(error.text(), golden("compile")["error_text"].get<std::string>());
  }

  void keysCoverWhatTheyShould() {
    Codes c;
    CudaBuild build{.arch = "80"};
    CudaCodeCache sound(c.options(), build), torch(c.options(true), build);
    const auto key = [](CudaCodeCache& cache, const char* ext, const std::vector<std::string>& extra = {}) {
      return cache.write("int x;", ext, extra).value().key;
    };
    QCOMPARE(key(torch, "o"), key(torch, "so"));
    QCOMPARE(key(torch, "o"), key(torch, "o", {"-DX"}));  // the letter: extra arguments are not covered
    QCOMPARE(key(sound, "o"), key(sound, "so"));
    QVERIFY(key(sound, "o") != key(sound, "o", {"-DX"}));
    build.hash_with_command = true;
    CudaCodeCache by_command(c.options(true), build);
    QVERIFY(key(by_command, "o") != key(by_command, "so"));
  }

  void libraryIsLoadedAndCalled() {
    Codes c;
    c.write("inc/h.h", "#define N 7\n");
    CppCodeCache cache(c.options());
    const auto request =
        c.cpp("#include \"h.h\"\nextern \"C\" int f() { return N; }\nextern \"C\" int zero(int n) { return n; }\n");
    auto code = cache.load(request);
    QVERIFY2(code.has_value(), code ? "" : told(code.error()));
    QCOMPARE(result_of(code), 7);
    QVERIFY(code->library.call("zero", 0).has_value());
    const auto failed = code->library.call("zero", 3);
    QVERIFY(!failed);
    QCOMPARE(failed.error().what, std::string("Error in function: zero"));
    QVERIFY(!code->library.symbol("no_such"));
    code->library.close();
    const auto closed = code->library.call("zero", 0);
    QVERIFY(!closed);
    QCOMPARE(closed.error().what, "Cannot use closed DLL library: " + code->library.path());
    QVERIFY(code->library.path().ends_with(code->key + ".main.so"));
  }

  /// A stale library is what the letter of PyTorch's rules gives.
  void headerChanges_data() { test_cuda_load_data(); }
  void headerChanges() {
    QFETCH(bool, compat);
    Codes c;
    c.write("inc/h.h", "#define N 1\n");
    CppCodeCache cache(c.options(compat));
    const auto request = c.cpp("#include \"h.h\"\nextern \"C\" int f() { return N; }\n");
    QCOMPARE(result_of(cache.load(request)), 1);
    QCOMPARE(result_of(cache.load(request)), 1);
    QCOMPARE(c.count(Outcome::miss), 1);
    QCOMPARE(c.count(Outcome::hit), 1);
    c.write("inc/h.h", "#define N 2\n");
    QCOMPARE(result_of(cache.load(request)), compat ? 1 : 2);
    c.write("inc/h.h", "#define N 1\n");
    QCOMPARE(result_of(cache.load(request)), 1);
    QCOMPARE(c.count(Outcome::miss), compat ? 1 : 2);
  }

  void secondFileIsLinked() {
    Codes c;
    CppCodeCache cache(c.options());
    const auto request = c.cpp("int g();\nextern \"C\" int f() { return g() + 1; }\n", "int g() { return 4; }\n");
    QCOMPARE(result_of(cache.load(request)), 5);
    QCOMPARE(c.count(Outcome::miss), 3);
    QCOMPARE(result_of(cache.load(request)), 5);
    QCOMPARE(c.count(Outcome::hit), 3);
    auto other = request;
    other.optimized = "int g() { return 6; }\n";
    QCOMPARE(result_of(cache.load(other)), 7);
  }

  void changedLibraryIsLinkedAnew() {
    Codes c;
    QVERIFY(
        c.plain({"sh", "-c", "echo 'int g() { return 1; }' | g++ -c -x c++ - -o g.o && ar rcs libg.a g.o"}).status ==
        0);
    auto request = c.cpp("int g();\nextern \"C\" int f() { return g(); }\n");
    request.build.library_dirs = {c.path("early"), c.path("")};
    request.build.libraries = {"g"};
    CppCodeCache cache(c.options());
    const auto first = cache.load(request);
    QVERIFY2(first.has_value(), first ? "" : told(first.error()));
    QCOMPARE(result_of(first), 1);
    QCOMPARE(result_of(cache.load(request)), 1);
    QCOMPARE(c.count(Outcome::hit), 1);
    QVERIFY(
        c.plain({"sh", "-c", "echo 'int g() { return 2; }' | g++ -c -x c++ - -o g.o && ar rcs libg.a g.o"}).status ==
        0);
    QCOMPARE(result_of(cache.load(request)), 2);
    QVERIFY(c.plain({"sh", "-c",
                     "mkdir early && echo 'int g() { return 3; }' | g++ -c -x c++ - -o g.o && ar rcs early/libg.a g.o"})
                .status == 0);
    QCOMPARE(result_of(cache.load(request)), 3);  // it comes to stand earlier on the path
  }

  void failedCompileIsNotRememberedForCpp() {
    Codes c;
    CppCodeCache cache(c.options());
    const auto request = c.cpp("#include \"late.h\"\nextern \"C\" int f() { return N; }\n");
    const auto failed = cache.load(request);
    QVERIFY(!failed && failed.error().compile);
    QVERIFY(failed.error().compile->output.find("late.h") != std::string::npos);
    c.write("inc/late.h", "#define N 9\n");
    QCOMPARE(result_of(cache.load(request)), 9);
  }

  /// A remembered failure ends with what it came from.
  void errorIsForgottenWithItsHeader() {
    NEEDS_NVCC;
    Codes c;
    c.write("inc/h.h", "#define CALL nothing()\n");
    CudaCodeCache cache(c.options(), c.cuda());
    const std::string code = "#include \"h.h\"\nint f() { return CALL; }\n";
    const std::vector<std::string> extra{"-I" + c.path("inc")};
    for (int i = 0; i < 2; ++i) QVERIFY(!cache.compile(code, "o", extra));
    QCOMPARE(c.count(Outcome::miss), 1);
    c.write("inc/h.h", "#define CALL 1\n");
    const auto built = cache.compile(code, "o", extra);
    QVERIFY2(built.has_value(), built ? "" : told(built.error()));
  }

  void nativeIsPartOfTheKey() {
    Codes c;
    auto request = c.cpp("extern \"C\" int f() { return 3; }\n");
    request.build.cflags.emplace_back("march=native");
    CppCodeCache cache(c.options());
    QCOMPARE(result_of(cache.load(request)), 3);
    QVERIFY(c.components().value("native").contains("-march="));
    QCOMPARE(result_of(cache.load(request)), 3);
    QCOMPARE(c.last().outcome, Outcome::hit);
  }

  void pythonBindings() {
    Codes c;
    const auto include =
        c.plain({"python3", "-c", "import sysconfig; print(sysconfig.get_path('include'))"}).out.trimmed();
    if (!QFile::exists(include + "/Python.h")) QSKIP("Python's headers are not installed: no bindings are compiled");
    CppCodeCache cache(c.options());
    auto request = c.cpp(
        "extern \"C\" void kernel(const float* in, float* out, long n) { for (long i = 0; i < n; ++i) out[i] = in[i] * "
        "2; }\n");
    request.build.include_dirs = {include.toStdString()};
    const auto built = cache.compile_binding(CppBinding::kernel, {"const float*", "float*", "long"}, request);
    QVERIFY2(built.has_value(), built ? "" : told(built.error()));
    c.write("use.py",
            "import array, ctypes, importlib.util, os, sys\n"
            "import ctypes as c\n"
            "data = c.PYFUNCTYPE(c.c_void_p, c.py_object)(lambda a: a.buffer_info()[0])\n"
            "os.environ['_TORCHINDUCTOR_PYOBJECT_TENSOR_DATA_PTR'] = str(c.cast(data, c.c_void_p).value)\n"
            "spec = importlib.util.spec_from_file_location('kernel', sys.argv[1])\n"
            "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
            "a, b = array.array('f', [1, 2, 3]), array.array('f', [0, 0, 0])\n"
            "module.kernel(a, b, 3); print(list(b))\n"
            "try: module.kernel(a)\n"
            "except RuntimeError as e: print(e)\n");
    const auto ran = c.plain({"python3", "use.py", QString::fromStdString(built->output)});
    QVERIFY2(ran.out == "[2.0, 4.0, 6.0]\nrequires 3 args\n", ran.told());
  }

  void kernelParameters() {
    Codes c;
    KernelParams plain_params(c.home / "params");
    QVERIFY(plain_params
                .set("k", {{"num_warps", "4"}},
                     {.content = {"\x7f"
                                  "ELF",
                                  false},
                      .type = "cubin"})
                .has_value());
    const auto got = plain_params.get("k").value();
    const std::string name = get_hash({"\x7f"
                                       "ELF",
                                       false},
                                      "", "cubin")
                                 .value();
    QCOMPARE(got.at("cubin_path"), c.home / ("params/" + name.substr(1, 2) + "/" + name + ".cubin"));
    QCOMPARE(got.at("runtime_bin_path"), got.at("cubin_path"));
    QCOMPARE(got.at("asm"), std::string());
    QCOMPARE(got.at("num_warps"), std::string("4"));
    QCOMPARE(read_file(got.at("cubin_path")).value(), std::string("\x7f"
                                                                  "ELF"));
    QVERIFY(!plain_params.get("other"));

    KernelParams package(c.home / "params", {.folder = c.home / "package", .cpp_only = true, .multi_arch = true});
    QCOMPARE(package.set("k", {}, {.content = {"b", false}, .type = "cubin"}).error().what,
             std::string("Missing kernel name"));
    const KernelParams::Params named{{"mangled_name", "_Z1kv"}};
    QCOMPARE(package.set("k", named, {.content = {"b", false}, .type = "cubin"}).error().what,
             std::string("Missing kernel assembly code"));
    QVERIFY(package
                .set("k", named,
                     {.content = {"b", false}, .type = "cubin", .assembly = {"ptx text"}, .assembly_type = "ptx"})
                .has_value());
    QCOMPARE(package.get("k")->at("cubin_path"), c.home / "package/_Z1kv.fatbin");
    QCOMPARE(package.get("k")->at("runtime_bin_path"), c.home / "package/_Z1kv.cubin");
    QCOMPARE(package.get("k")->at("asm"), c.home / "package/_Z1kv.ptx");
    QCOMPARE(package.keys(), std::vector<std::string>{"k"});
    KernelParams rocm(c.home / "params", {.multi_arch = true, .rocm = true});
    QVERIFY(!rocm.set("k", {}, {.content = {"b", false}, .type = "weird"}));
    QVERIFY(rocm.set("k", {}, {.content = {"b", false}, .type = "hsaco"}).has_value());
    QVERIFY(rocm.get("k")->contains("hsaco_path"));
  }
};

QTEST_GUILESS_MAIN(TestCodeCache)
#include "test_code_cache.moc"
