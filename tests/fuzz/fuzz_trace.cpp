// SPDX-License-Identifier: Apache-2.0
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "keyhole/ingest/trace.h"

namespace {

/// What a recorder counts on: processes that were named, components that can be read, offsets within the input.
class Sink : public keyhole::RecordSink {
 public:
  explicit Sink(std::size_t size) : size_(size) {}
  ProcessId process(const keyhole::ProcessRecord& record) override {
    if (record.identity.empty()) std::abort();
    return ++processes_;
  }
  void compile(ProcessId process, const keyhole::CompileRecord&) override { known(process); }
  void symbol(ProcessId process, const keyhole::SymbolRecord&) override { known(process); }
  void text(ProcessId process, const keyhole::TextRecord& record) override {
    known(process);
    touch(record.text);
  }
  void lookup(ProcessId process, const keyhole::LookupRecord& record) override {
    known(process);
    touch(record.key);
    for (const keyhole::ComponentPtr c : record.components) {
      touch(c->name);
      touch(c->text);
    }
    ++lookups;
  }
  SnapshotId begin_snapshot(const keyhole::SnapshotRecord&) override { std::abort(); }
  void entry(SnapshotId, const keyhole::EntryRecord&) override { std::abort(); }
  void problem(const keyhole::Problem& p) override {
    if (p.what.empty() || p.offset > static_cast<std::int64_t>(size_)) std::abort();
    ++problems;
  }

  std::uint64_t lookups = 0, problems = 0;

 private:
  void known(ProcessId process) const {
    if (process < 1 || process > processes_) std::abort();
  }
  void touch(std::string_view text) {
    for (const char c : text) sum_ = sum_ + static_cast<unsigned char>(c);
  }
  std::size_t size_;
  ProcessId processes_ = 0;
  volatile unsigned sum_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace keyhole;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // Packed input is the unpackers' affair: offsets would be those of the content.
  if (input.starts_with("\x1f\x8b") || input.starts_with("\x28\xb5\x2f\xfd") ||
      input.starts_with("\xfd"
                        "7zXZ"))
    return 0;
  (void)looks_like_trace(input);
  const int fd = ::memfd_create("trace", MFD_CLOEXEC);
  if (fd < 0 || ::write(fd, data, size) != static_cast<ssize_t>(size)) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  // In one go, and as a file that is read while it grows: the same records.
  std::uint64_t records[2] = {}, lookups[2] = {};
  for (const bool growing : {false, true}) {
    TraceOptions options;
    options.max_record = 4096;
    options.growing = growing;
    ComponentPool pool;
    Sink sink(size);
    auto reader = TraceReader::open(path, options, pool, sink);
    if (!reader) std::abort();
    if (growing) (void)(*reader)->poll();
    if (const auto summary = (*reader)->finish()) {
      records[growing] = summary->records;
      lookups[growing] = sink.lookups;
      if (!growing && summary->problems != sink.problems) std::abort();
    }
  }
  if (records[0] != records[1] || lookups[0] != lookups[1]) std::abort();
  ::close(fd);
  return 0;
}
