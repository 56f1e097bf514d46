// SPDX-License-Identifier: Apache-2.0
// Against a real redis-server that the test starts, and against servers that misbehave.
#include "keyhole/remote/redis.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>
#include <atomic>
#include <functional>
#include <thread>

using namespace keyhole;
using std::chrono::milliseconds;

namespace {

/// Accepts connections on a free port; `serve` gets each one after the first bytes of a request came.
class FakeServer {
 public:
  explicit FakeServer(std::function<void(int)> serve) : serve_(std::move(serve)) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    listen(listener_, 8);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] {
      while (!stop_) {
        const int fd = accept(listener_, nullptr, nullptr);
        if (fd < 0) break;
        char request[4096];
        if (read(fd, request, sizeof request) > 0 && !stop_) serve_(fd);
        close(fd);
      }
    });
  }
  ~FakeServer() {
    stop_ = true;
    shutdown(listener_, SHUT_RDWR);
    close(listener_);
    thread_.join();
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] bool stopped() const { return stop_; }

 private:
  std::function<void(int)> serve_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

void send_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto n = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace

class TestRedis : public QObject {
  Q_OBJECT
  QTemporaryDir folder_;
  QProcess server_;
  RedisOptions options_;

  bool start(const QStringList& more = {}) {
    const QString program = QStandardPaths::findExecutable("redis-server");
    if (program.isEmpty()) return false;
    options_ = {};
    options_.socket = folder_.filePath("redis.sock").toStdString();
    options_.retry_after = milliseconds(0);
    QFile::remove(QString::fromStdString(options_.socket));
    server_.start(program, QStringList{"--port", "0", "--unixsocket", QString::fromStdString(options_.socket), "--save",
                                       "", "--dir", folder_.path()} +
                               more);
    if (!server_.waitForStarted()) return false;
    for (int i = 0; i < 200; ++i) {
      if (RedisBackend(options_).get("ping")) return true;
      QTest::qSleep(20);
    }
    return false;
  }
  void stop() {
    server_.kill();
    server_.waitForFinished();
  }

 private slots:
  void cleanup() { stop(); }

  void values_of_every_size_come_back() {
    if (!start()) QSKIP("redis-server is not installed: nothing was tried against a real Redis");
    auto backend = std::make_shared<RedisBackend>(options_);
    RemoteCache cache("FxGraphCache", "fx-graph-v1", backend);
    for (const std::size_t size : {0, 1, 1000, 1000000, 20000000}) {
      const std::string data(size, '\xfe');
      QVERIFY(cache.put("k", {data, 3}));
      const auto back = cache.get("k");
      if (!back) qWarning("%zu bytes: %s", size, remote_statistics().text().c_str());
      QVERIFY(back);
      QVERIFY(back->data == data);
    }
    QVERIFY(!cache.get("missing"));
  }

  void another_type_under_the_key_is_a_miss() {
    if (!start()) QSKIP("redis-server is not installed");
    RemoteCache cache("FxGraphCache", "fx-graph-v1", std::make_shared<RedisBackend>(options_));
    QProcess client;
    client.start("redis-cli", {"-s", QString::fromStdString(options_.socket), "RPUSH", "pt2:fx-graph-v1::k:c1", "a"});
    if (!client.waitForStarted()) QSKIP("redis-cli is not installed");
    client.waitForFinished();
    remote_statistics().clear();
    QVERIFY(!cache.get("k"));
    QCOMPARE(remote_statistics().of("FxGraphCache").exception, std::int64_t{1});
    QVERIFY(cache.put("other", {"x", 1}));
    QVERIFY(cache.get("other"));
  }

  void a_password_is_given() {
    if (!start({"--requirepass", "s3cret"})) {
      // start() asks without the password: the server is there all the same.
      if (server_.state() != QProcess::Running) QSKIP("redis-server is not installed");
    }
    RedisBackend without(options_);
    QVERIFY(!without.put("k", "v"));
    options_.password = "wrong";
    QVERIFY(!RedisBackend(options_).get("k"));
    options_.password = "s3cret";
    RedisBackend with(options_);
    QVERIFY(with.put("k", "v"));
    QCOMPARE(with.get("k").value_or(std::nullopt), std::optional<std::string>("v"));
  }

  void a_server_that_dies_and_comes_back() {
    if (!start()) QSKIP("redis-server is not installed");
    RedisBackend backend(options_);
    QVERIFY(backend.put("k", "v"));
    stop();
    QVERIFY(!backend.get("k"));
    QVERIFY(start());
    QVERIFY(backend.get("k"));  // an old connection is no reason to fail

    options_.retry_after = milliseconds::max();  // as PyTorch does: never again
    RedisBackend once(options_);
    QVERIFY(once.put("k", "v"));
    stop();
    QVERIFY(!once.get("k"));
    QVERIFY(start());
    QCOMPARE(once.get("k").value_or("?"), std::optional<std::string>());
    QVERIFY(once.resting());
    QVERIFY(once.put("k", "v"));
  }

  void a_fork_talks_over_a_connection_of_its_own() {
    if (!start()) QSKIP("redis-server is not installed");
    RedisBackend backend(options_);
    QVERIFY(backend.put("k", "parent"));
    const pid_t child = fork();
    if (child == 0) {
      for (int i = 0; i < 200; ++i)
        if (backend.get("k").value_or(std::nullopt) != std::optional<std::string>("parent")) _exit(1);
      _exit(0);
    }
    for (int i = 0; i < 200; ++i)
      QCOMPARE(backend.get("k").value_or(std::nullopt), std::optional<std::string>("parent"));
    int status = 0;
    waitpid(child, &status, 0);
    QCOMPARE(status, 0);
  }

  void misbehaving_servers_data() {
    QTest::addColumn<QByteArray>("reply");
    QTest::addColumn<bool>("trickle");
    QTest::newRow("says nothing") << QByteArray() << true;
    QTest::newRow("a byte now and then") << QByteArray("$100\r\n" + QByteArray(100, 'x') + "\r\n") << true;
    QTest::newRow("closes at once") << QByteArray() << false;
    QTest::newRow("truncated value") << QByteArray("$100\r\nabc") << false;
    QTest::newRow("not Redis") << QByteArray("HTTP/1.1 400 Bad Request\r\n\r\n") << false;
    QTest::newRow("an array of a thousand million") << QByteArray("*1000000000\r\n") << false;
    QTest::newRow("negative length") << QByteArray("$-5\r\n") << false;
    QTest::newRow("length that is no number") << QByteArray("$99999999999999999999\r\n") << false;
    QTest::newRow("an error") << QByteArray("-LOADING Redis is loading\r\n") << false;
    QTest::newRow("an integer") << QByteArray(":5\r\n") << false;
  }
  void misbehaving_servers() {
    QFETCH(QByteArray, reply);
    QFETCH(bool, trickle);
    std::atomic<bool> over{false};
    FakeServer server([&](int fd) {
      if (!trickle) return send_all(fd, {reply.constData(), static_cast<std::size_t>(reply.size())});
      for (int i = 0; !over && i < 100; ++i) {
        if (i < reply.size()) send_all(fd, {reply.constData() + i, 1});
        std::this_thread::sleep_for(milliseconds(50));
      }
    });
    RedisOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.timeout = milliseconds(300);
    remote_statistics().clear();
    RemoteCache cache("A", "id", std::make_shared<RedisBackend>(options));
    QElapsedTimer timer;
    timer.start();
    QVERIFY(!cache.get("k"));
    QVERIFY2(timer.elapsed() < 4000, qPrintable(QString::number(timer.elapsed())));  // all of the trickle takes 5 s
    QVERIFY(remote_statistics().of("A").exception == 1 || reply == "$-5\r\n");
    over = true;
  }

  void a_value_that_is_too_long_is_not_read() {
    std::atomic<std::size_t> sent{0};
    FakeServer server([&](int fd) {
      send_all(fd, "$1000000000\r\n");
      const std::string block(1 << 20, 'x');
      for (int i = 0; i < 1000; ++i) {
        const auto n = send(fd, block.data(), block.size(), MSG_NOSIGNAL);
        if (n <= 0) return;
        sent += static_cast<std::size_t>(n);
      }
    });
    RedisOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.largest_value = 1 << 20;
    QVERIFY(!RedisBackend(options).get("k"));
    QTest::qSleep(50);
    QVERIFY2(sent < std::size_t{100} << 20, "far more was read than may be");
  }

  void no_server_at_all_is_an_error() {
    RedisOptions options;
    options.host = "127.0.0.1";
    options.port = 1;
    QVERIFY(!RedisBackend(options).get("k"));
  }

  /// A server that is gone costs one attempt, not one for each lookup.
  void who_failed_is_left_alone_for_a_while() {
    std::atomic<int> requests{0};
    FakeServer server([&](int) { ++requests; });
    RedisOptions options;
    options.host = "127.0.0.1";
    options.port = server.port();
    options.retry_after = milliseconds::max();
    RedisBackend backend(options);
    QVERIFY(!backend.get("k"));
    const int tried = requests;
    for (int i = 0; i < 1000; ++i) QCOMPARE(backend.get("k").value_or("?"), std::optional<std::string>());
    QCOMPARE(requests.load(), tried);
  }

  void addresses() {
    const auto full = RedisOptions::parse("redis://joe:p%40ss@cache.example:7000/3");
    QVERIFY(full);
    QCOMPARE(full->user, std::string("joe"));
    QCOMPARE(full->password, std::string("p@ss"));
    QCOMPARE(full->host, std::string("cache.example"));
    QCOMPARE(full->port, 7000);
    QCOMPARE(full->database, 3);
    QCOMPARE(RedisOptions::parse("redis://[::1]:7000")->host, std::string("::1"));
    QCOMPARE(RedisOptions::parse("redis://h")->port, 6379);
    QCOMPARE(RedisOptions::parse("unix:///run/r.sock")->socket, std::string("/run/r.sock"));
    QCOMPARE(RedisOptions::parse("rediss://h").error().kind, ErrorKind::unsupported);
    for (const char* bad : {"", "h:1", "http://h", "redis://h:x", "redis://h:0", "redis://h:70000", "redis://h/x",
                            "unix://", "redis://[::1", "redis://u@h", "redis://:%zz@h"})
      QVERIFY2(!RedisOptions::parse(bad), bad);
  }
};

QTEST_GUILESS_MAIN(TestRedis)
#include "test_redis.moc"
