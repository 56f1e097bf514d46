// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include "keyhole/ingest/torch_log.h"

namespace {

/// Every lookup once, by its number.
class Sink : public keyhole::RecordSink {
 public:
  ProcessId process(const keyhole::ProcessRecord& record) override {
    if (record.identity.empty()) std::abort();
    return record.pid;
  }
  void compile(ProcessId, const keyhole::CompileRecord&) override {}
  void symbol(ProcessId, const keyhole::SymbolRecord&) override {}
  void text(ProcessId, const keyhole::TextRecord&) override {}
  void lookup(ProcessId process, const keyhole::LookupRecord& record) override {
    const bool fresh = seen_.emplace(process, record.layer, record.key, record.ordinal).second;
    if (!fresh && record.save_error.empty()) std::abort();
  }
  SnapshotId begin_snapshot(const keyhole::SnapshotRecord&) override { std::abort(); }
  void entry(SnapshotId, const keyhole::EntryRecord&) override { std::abort(); }
  void problem(const keyhole::Problem&) override {}

 private:
  std::set<std::tuple<ProcessId, keyhole::Layer, std::string, std::int64_t>> seen_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhole;
  (void)looks_like_torch_log({reinterpret_cast<const char*>(data), size});
  const int fd = ::memfd_create("log", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  LogOptions options;
  options.max_message = 4096;
  ComponentPool pool;
  Sink sink;
  (void)read_torch_log("/proc/self/fd/" + std::to_string(fd), options, pool, sink);
  ::close(fd);
  return 0;
}
