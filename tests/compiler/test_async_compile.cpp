// SPDX-License-Identifier: Apache-2.0
// PyTorch's tests of its compile workers under their names, and what happens when a job fails, hangs or dies.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QTest>

#include "compiling.h"
#include "golden.h"
#include "jobserver.h"
#include "keyhole/cache/counters.h"
#include "keyhole/compiler/async_compile.h"
#include "wire.h"

using namespace keyhole;
using namespace std::chrono_literals;
using Kind = JobFailure::Kind;

namespace {

class Async : public test::Compiling {
 public:
  [[nodiscard]] std::string compile(const std::string& source, const std::string& output) const {
    return command_payload(store(), {"g++", "-c", path(source), "-o", path(output)});
  }
};

AsyncOptions options(StartMethod start, int threads = 2) {
  return {.start = start, .threads = threads};
}

bool ends_soon(pid_t pid) {
  for (int i = 0; i < 200; ++i) {
    const auto stat = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
    if (!stat || stat->find(") Z") != std::string::npos) return true;
    std::this_thread::sleep_for(25ms);
  }
  return false;
}

}  // namespace

class TestAsyncCompile : public QObject {
  Q_OBJECT

  static void methods() {
    QTest::addColumn<QString>("method");
    for (const char* name : {"subprocess", "fork", "spawn"}) QTest::newRow(name) << name;
  }

 private slots:
  void test_pool_data() { methods(); }
  void test_pool() {
    QFETCH(QString, method);
    Async a;
    a.write("a.cpp", "int f() { return 1; }\n");
    AsyncCompile async(options(start_method(method.toStdString()).value()));
    async.shutdown();
    QVERIFY(!async.ready_future());
    QVERIFY(!async.use_process_pool());  // the first call only starts it
    const auto ready = async.wait_pool_ready();
    QVERIFY2(ready.has_value(), ready ? "" : ready.error().line().c_str());
    QVERIFY(async.use_process_pool());
    const auto done = async.submit("command", a.compile("a.cpp", "a.o")).result(120s);
    QVERIFY2(done.has_value(), done ? "" : done.error().text().c_str());
    QVERIFY(QFile::exists(QString::fromStdString(a.path("a.o"))));
    async.shutdown();
    QVERIFY(!async.ready_future());
  }

  void test_bad_kernel_data() { methods(); }
  void test_bad_kernel() {
    QFETCH(QString, method);
    Async a;
    a.write("bad.cpp", "this is nonsense\n");
    AsyncCompile async(options(start_method(method.toStdString()).value()));
    const auto result = async.submit("command", a.compile("bad.cpp", "bad.o"), "fake_kernel_name").result(120s);
    QVERIFY(!result);
    QCOMPARE(result.error().kind, Kind::failed);
    const QString text = QString::fromStdString(result.error().text());
    QVERIFY2(
        text.startsWith("An exception occurred in a subprocess:\n\nName=fake_kernel_name\njob command in process "),
        qPrintable(text));
    QVERIFY2(text.contains("C++ compile error\n\nCommand:\ng++ -c ") && text.contains("bad.cpp:1:1: error:"),
             qPrintable(text));
    QVERIFY2(!text.contains("process " + QString::number(::getpid()) + "\n"), qPrintable(text));
  }

  void test_wait_pool_ready() {
    AsyncCompile async(options(StartMethod::fork));
    QVERIFY(async.wait_pool_ready().has_value());
    QVERIFY(async.ready_future() && async.ready_future()->done());
    QCOMPARE(async.ready_future()->result().value(), std::string("ready"));
    QVERIFY(async.use_process_pool());
  }

  /// The row of the CUDA tests: a future whose result is the library.
  void test_async_compile() {
    NEEDS("nvcc", "no CUDA is compiled");
    Async a;
    QVERIFY(a.plain({"sh", "-c", "mkdir -p stubs && echo | gcc -shared -x c - -o stubs/libcuda.so"}).status == 0);
    CudaCodeCache cache({.root = a.home / "cache", .store = a.store(), .run = {"test", {}}},
                        {.arch = "80", .libraries = {a.path("stubs")}});
    AsyncCompile async(options(StartMethod::fork));
    const auto future = async.cuda(
        cache, "__global__ void k() {}\nextern \"C\" __attribute__((visibility(\"default\"))) int f() { return 5; }\n",
        "so");
    QVERIFY(future.valid());
    const auto result = future.get();
    if (!*result) {
      // Without a driver the library cannot be opened: all before it must have gone well.
      const std::string said = (*result).error().error.line();
      QVERIFY2(said.find("libcuda.so") != std::string::npos, said.c_str());
    } else {
      const auto f = (*result)->library.symbol("f");
      QVERIFY(f && reinterpret_cast<int (*)()>(*f)() == 5);
    }
    QCOMPARE(a.count(Outcome::miss), 2);
  }

  void wordsOfTheWire() {
    for (const auto& [name, hex] : golden("compile")["async"].items()) {
      const MessageKind kind = name == "ERROR"      ? MessageKind::error
                               : name == "SHUTDOWN" ? MessageKind::shutdown
                               : name == "QUIESCE"  ? MessageKind::quiesce
                               : name == "WAKEUP"   ? MessageKind::wakeup
                                                    : MessageKind::job;
      QCOMPARE(header_bytes(kind, 5, 7), from_hex(hex.get<std::string>()));
    }
    int ends[2];
    QCOMPARE(::pipe(ends), 0);
    ::close(ends[1]);
    const Message empty = receive_message(ends[0]);
    ::close(ends[0]);
    QVERIFY(empty.kind == MessageKind::error && empty.id == -1);
    QCOMPARE((JobFailure{.details = "details\n", .name = "kernel"}.text()),
             golden("compile")["subprocess_text"].get<std::string>());
    QCOMPARE(start_method("x").error().what, std::string("Invalid start method: x"));
  }

  void oneThreadIsNoPool() {
    AsyncCompile async(options(StartMethod::fork, 1));
    QVERIFY(!async.use_process_pool());
    QCOMPARE(async.submit("where", "").result().value(), std::to_string(::getpid()));
    QVERIFY(!async.ready_future());
  }

  void deathOfAWorkerIsOneFailedJob_data() { methods(); }
  void deathOfAWorkerIsOneFailedJob() {
    QFETCH(QString, method);
    AsyncCompile async(options(start_method(method.toStdString()).value()));
    QVERIFY(async.submit("where", "1").result(60s).has_value());
    const auto dead = async.submit("die", "", "doomed").result(60s);
    QVERIFY(!dead);
    QCOMPARE(dead.error().kind, Kind::crashed);
    QVERIFY2(dead.error().text().find("Name=doomed\n") != std::string::npos &&
                 dead.error().details.find("signal 11") != std::string::npos,
             dead.error().text().c_str());
    for (int i = 0; i < 4; ++i) QVERIFY(async.submit("where", std::to_string(i + 2)).result(60s).has_value());
  }

  void limitAndCancelKillWhatTheJobStarted() {
    Async a;
    AsyncCompile async(options(StartMethod::fork));
    const auto pid_in = [&](const char* file) {
      for (int i = 0; i < 400 && a.bytes(file).find('\n') == std::string::npos; ++i) std::this_thread::sleep_for(25ms);
      return static_cast<pid_t>(QByteArray::fromStdString(a.bytes(file)).trimmed().toInt());
    };
    const auto slow = async.submit("sleep", a.path("one"), "slow", 1500ms);
    const auto other = async.submit("sleep", a.path("two"), "other");
    const pid_t one = pid_in("one"), two = pid_in("two");
    QVERIFY(one > 0 && two > 0);
    QCOMPARE(other.result(10ms).error().kind, Kind::timed_out);  // the wait ends, the job goes on
    QVERIFY(!other.done());
    QCOMPARE(slow.result(60s).error().kind, Kind::timed_out);
    QVERIFY(slow.done() && ends_soon(one));
    other.cancel();
    QCOMPARE(other.result(60s).error().kind, Kind::cancelled);
    QVERIFY(ends_soon(two));
    QVERIFY(async.submit("where", "").result(60s).has_value());
  }

  void closedPoolFailsWhatIsUnderWay() {
    Async a;
    AsyncCompile async(options(StartMethod::fork));
    const auto job = async.submit("sleep", a.path("pid"));
    async.shutdown();
    QCOMPARE(job.result(60s).error().kind, Kind::closed);
    QCOMPARE(job.result(60s).error().details, std::string("SubprocPool closed"));
    QVERIFY(async.submit("where", "").result(60s).has_value());  // a new pool
  }

  void sameJobRunsOnce() {
    AsyncCompile async(options(StartMethod::fork));
    const auto one = async.submit("count", "x"), two = async.submit("count", "x");
    QCOMPARE(one.result(60s).value(), two.result(60s).value());
    counters().clear();
    const auto key = kernel_key("abc", from_hex("d34d1007edd62bb52cb10ffdeb5f6e36975ee877f120be2df6df7e8d3dd2e62c"));
    QCOMPARE(key, std::string("cmzmfhops7jz74s3tcr5gwa3yfhnskafnyriq7g2mw6obqjqatbg"));
    for (int i = 0; i < 3; ++i) QVERIFY(async.submit_kernel("where", "source", "k").result(60s).has_value());
    QCOMPARE(counters().value("inductor", "async_compile_cache_miss"), 3);
    QCOMPARE(counters().value("inductor", "async_compile_cache_hit"), 2);
  }

  void waitNamesTheOneThatFails() {
    AsyncCompile async(options(StartMethod::fork));
    const auto all = AsyncCompile::wait({{"a", async.submit("where", "a")}, {"b", async.submit("where", "b")}});
    QVERIFY(all && all->size() == 2);
    const auto failed = AsyncCompile::wait({{"bad", async.submit("throw", "")}});
    QVERIFY(!failed && failed.error().what.find("Name=bad\n") != std::string::npos);
    QVERIFY(failed.error().what.find("thrown on purpose") != std::string::npos);
    Async a;
    const auto late = AsyncCompile::wait({{"late", async.submit("sleep", a.path("pid"))}}, 50ms);
    QVERIFY(!late && late.error().kind == ErrorKind::busy && late.error().what.find("late") != std::string::npos);
  }

  /// After a fork the child compiles with a pool of its own, and ends without disturbing the parent's.
  void childOfAForkStartsAnew() {
    AsyncCompile async(options(StartMethod::fork));
    QVERIFY(async.wait_pool_ready().has_value());
    const pid_t child = ::fork();
    if (child == 0) {
      const bool works = async.submit("where", "child").result(30s).has_value();
      async.shutdown();
      ::_exit(works ? 0 : 1);
    }
    int status = -1;
    QCOMPARE(::waitpid(child, &status, 0), child);
    QCOMPARE(status, 0);
    QVERIFY(async.submit("where", "parent").result(30s).has_value());
  }

  void workersEndWithTheirParent() {
    Async a;
    const pid_t child = ::fork();
    if (child == 0) {
      AsyncCompile async(options(StartMethod::fork));
      static_cast<void>(async.submit("sleep", a.path("pid")).result());
      ::_exit(0);
    }
    for (int i = 0; i < 400 && a.bytes("pid").find('\n') == std::string::npos; ++i) std::this_thread::sleep_for(25ms);
    const auto sleeper = static_cast<pid_t>(QByteArray::fromStdString(a.bytes("pid")).trimmed().toInt());
    QVERIFY(sleeper > 0);
    QCOMPARE(::kill(child, SIGKILL), 0);
    ::waitpid(child, nullptr, 0);
    QVERIFY(ends_soon(sleeper));
  }

  void quietWorkersEndAndComeBack() {
    auto quick = options(StartMethod::fork);
    quick.quiet = 100ms;
    AsyncCompile async(quick);
    const auto first = static_cast<pid_t>(std::stoi(async.submit("where", "1").result(60s).value()));
    QVERIFY(ends_soon(first));
    QVERIFY(async.submit("where", "2").result(60s).has_value());
    const auto second = static_cast<pid_t>(std::stoi(async.submit("where", "3").result(60s).value()));
    async.quiesce();
    QVERIFY(ends_soon(second));
  }

  void tokensOfTheJobserver() {
    int ends[2];
    QCOMPARE(::pipe(ends), 0);
    const std::string flags = "-j3 --jobserver-auth=" + std::to_string(ends[0]) + "," + std::to_string(ends[1]);
    {
      Jobserver server(flags);
      QVERIFY(server.active());
      QVERIFY(server.take());   // its own
      QVERIFY(!server.take());  // none is free
      QCOMPARE(::write(ends[1], "+", 1), 1);
      QVERIFY(server.take());
      QVERIFY(!server.take());
      server.give();
      char back = 0;
      QCOMPARE(::read(ends[0], &back, 1), 1);
      QCOMPARE(back, '+');
      server.give();
      QVERIFY(server.take());
    }
    QCOMPARE(::fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);  // what others share stays as it was
    ::close(ends[0]);
    ::close(ends[1]);
    Jobserver none("-j");
    QVERIFY(!none.active() && none.take() && none.take());
  }

  /// Two processes that want one kernel: one compiler run.
  void singleFlightAcrossProcesses() {
    Async a;
    a.write("a.cpp", "#include <map>\n#include <string>\nint f() { return 1; }\n");
    a.write("b.o", "");
    qputenv("KEYHOLE_RUN", "test");
    AsyncCompile one(options(StartMethod::fork)), two(options(StartMethod::fork));
    const auto first = one.submit("command", a.compile("a.cpp", "a.o")),
               second = two.submit("command", a.compile("a.cpp", "b.o"));
    QVERIFY(first.result(120s).has_value() && second.result(120s).has_value());
    qunsetenv("KEYHOLE_RUN");
    QCOMPARE(a.count(Outcome::miss), 1);
    QCOMPARE(a.count(Outcome::hit), 1);
    QCOMPARE(a.bytes("a.o"), a.bytes("b.o"));
  }
};

namespace {

std::atomic<int> g_count{0};

void register_test_jobs() {
  register_job("where", [](const std::string&) { return Result<std::string>(std::to_string(::getpid())); });
  register_job("die", [](const std::string&) -> Result<std::string> {
    ::signal(SIGSEGV, SIG_DFL);
    ::raise(SIGSEGV);
    return std::string();
  });
  register_job("throw",
               [](const std::string&) -> Result<std::string> { throw std::runtime_error("thrown on purpose"); });
  register_job("count", [](const std::string&) {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return Result<std::string>(std::to_string(::getpid()) + " " + std::to_string(++g_count));
  });
  // A program that the job waits for, as for a compiler; its number is left in the file.
  register_job("sleep", [](const std::string& file) {
    static_cast<void>(!std::system(("sh -c 'echo $$ > " + file + "; exec sleep 300'").c_str()));
    return Result<std::string>("slept");
  });
}

}  // namespace

int main(int argc, char** argv) {
  register_test_jobs();
  if (const auto status = compile_worker(argc, argv)) return *status;
  TestAsyncCompile test;
  QTest::setMainSourcePath(__FILE__);
  return QTest::qExec(&test, argc, argv);
}
#include "test_async_compile.moc"
