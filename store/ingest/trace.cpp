// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/trace.h"

#define OPENSSL_SUPPRESS_DEPRECATED  // as in hash.cpp: the functions of EVP set up all of OpenSSL first
#include <openssl/md5.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "keyhole/ingest/source.h"
#include "record_scanner.h"
#include "trace_process.h"

namespace keyhole {
namespace {

constexpr std::uint64_t kGiveUp = 4u << 20;  // so much without a single record: it is something else
constexpr std::size_t kMaxProcesses = 4096;
constexpr std::uint64_t kStep = 1u << 20;  // between two calls of `progress`
constexpr std::uint64_t kCheckpoint = 16u << 20;

std::string md5_of(std::string_view content) {
  unsigned char digest[MD5_DIGEST_LENGTH];
  MD5(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest);
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

/// `dedicated_log_torch_trace_rank_3_x81k2.log` (torch/_logging/_internal.py)
std::optional<int> rank_in_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const std::size_t at = name.find("rank_");
  if (at == std::string_view::npos) return std::nullopt;
  int rank = 0;
  const auto [stop, error] = std::from_chars(name.data() + at + 5, name.data() + name.size(), rank);
  return error == std::errc{} && stop != name.data() + name.size() && *stop == '_' ? std::optional(rank) : std::nullopt;
}

/// "V1121 12:0": what a program that was killed left of a header line.
bool may_begin_a_record(std::string_view line) {
  if (line.empty() || std::string_view("CEWIDV").find(line[0]) == std::string_view::npos) return false;
  const auto date = line.substr(1, 4);
  return std::all_of(date.begin(), date.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A source that gives back the bytes that were looked at first.
class HeadSource final : public Source {
 public:
  explicit HeadSource(std::unique_ptr<Source> inner) : inner_(std::move(inner)) { path_ = inner_->path(); }

  /// True: `size` bytes are there. False: so far there are fewer.
  Result<bool> gather(std::size_t size) {
    while (head_.size() < size) {
      char buffer[kIdentityBytes];
      auto n = inner_->read(buffer, std::min(sizeof buffer, size - head_.size()));
      if (!n) return tl::unexpected(n.error());
      if (*n == 0) return false;
      head_.append(buffer, *n);
    }
    return true;
  }
  [[nodiscard]] std::string_view head() const { return head_; }
  [[nodiscard]] const Source& inner() const { return *inner_; }

  Result<std::size_t> read(char* out, std::size_t size) override {
    if (given_ == head_.size()) return inner_->read(out, size);
    const std::size_t n = head_.copy(out, size, given_);
    given_ += n;
    return n;
  }
  [[nodiscard]] bool compressed() const override { return inner_->compressed(); }

 private:
  std::unique_ptr<Source> inner_;
  std::string head_;
  std::size_t given_ = 0;
};

}  // namespace

struct TraceReader::State {
  State(std::unique_ptr<Source> source, TraceOptions opts, ComponentPool& pool, RecordSink& sink)
      : options(std::move(opts)),
        input(std::move(source)),
        scanner(input, options.max_record),
        context{TraceClock(input.inner().modified()), ComponentReader(pool), sink, input.path(), {}, 0, {}},
        file_rank(rank_in_name(input.path())) {}

  TraceOptions options;
  HeadSource input;
  RecordScanner scanner;
  TraceContext context;
  std::optional<int> file_rank;
  std::string identity;
  std::map<std::int64_t, TraceProcess> processes;
  std::uint64_t foreign_offset = 0, foreign = 0;  // lines that are no records, in one go
  std::uint64_t refused = 0;                      // records of too many processes
  std::uint64_t told = 0, checkpointed = 0;
  bool stopped = false;

  [[nodiscard]] Error no_trace() const {
    return {ErrorKind::bad_input, "is no structured trace of PyTorch", context.path,
            "TORCH_TRACE=FOLDER makes one; its records begin with a line such as V1121 10:02:57.249000 18293 …] {…}"};
  }

  TraceProcess& process(std::int64_t pid) {
    const auto found = processes.find(pid);
    if (found != processes.end()) return found->second;
    ProcessRecord record;
    record.identity = identity + ":" + std::to_string(pid);
    record.host = options.host;
    record.pid = pid;
    record.rank = file_rank;
    ++context.summary.processes;
    return processes.try_emplace(pid, context, std::move(record)).first->second;
  }

  void foreign_done() {
    if (foreign == 0) return;
    context.problem(foreign_offset,
                    std::to_string(foreign) + (foreign == 1 ? " line is" : " lines are") + " no record of a trace",
                    "other output was mixed in, or the file is damaged here; it is passed over");
    foreign = 0;
  }

  void take(const RawRecord& raw, bool last) {
    if (raw.oversized > 0) {
      foreign_done();
      context.problem(raw.offset, "a record of " + std::to_string(raw.oversized) + " bytes is passed over",
                      "records of up to " + std::to_string(options.max_record) + " bytes are read");
      return;
    }
    const auto header = TraceHeader::parse(raw.header);
    TraceRecord record;
    std::optional<int> rank;
    std::string_view payload_md5;
    bool whole = false;
    if (header) {
      record.offset = raw.offset;
      record.payload = raw.payload;
      record.local = header->time;
      JsonCursor json(header->json);
      json.enter_object();
      while (const auto key = json.next_key()) {
        if (record.kind.empty()) {
          record.kind = *key;
          record.metadata = json.raw();
        } else if (*key == "frame_id")
          record.compile.frame = json.integer().value_or(-1);
        else if (*key == "frame_compile_id")
          record.compile.frame_compile = json.integer().value_or(-1);
        else if (*key == "attempt")
          record.compile.attempt = json.integer().value_or(0);
        else if (*key == "compiled_autograd_id")
          record.compile.compiled_autograd = json.integer().value_or(-1);
        else if (*key == "rank") {
          if (const auto value = json.integer()) rank = static_cast<int>(*value);
        } else if (*key == "has_payload")
          payload_md5 = json.raw_string().value_or(std::string_view());
        else
          json.skip();
      }
      whole = json.ok() && !record.kind.empty();
    }
    if (last && whole && !payload_md5.empty()) {
      const std::string actual = md5_of(payload_of(raw.payload));
      whole = actual.empty() || actual == payload_md5;
    }
    if (last && !whole && (header || may_begin_a_record(raw.header))) {
      foreign_done();
      if (!options.growing)
        context.problem(raw.offset, "the trace ends in the middle of a record",
                        "import it again when the run has ended; what came before is kept");
      return;
    }
    if (!whole) {
      if (raw.header.empty() && raw.payload.empty()) return;
      if (foreign == 0) foreign_offset = raw.offset;
      ++foreign;
      return;
    }
    foreign_done();
    if (processes.size() >= kMaxProcesses && !processes.contains(header->pid)) {
      if (++refused == 1)
        context.problem(raw.offset, "more than " + std::to_string(kMaxProcesses) + " processes in one file",
                        "the records of further ones are passed over");
      return;
    }
    ++context.summary.records;
    TraceProcess& from = process(header->pid);
    if (rank) from.rank(*rank);
    from.take(record);
    if (record.kind == "compilation_metrics") checkpoint();
  }

  static std::string payload_of(std::string_view lines) {
    std::string text;
    text.reserve(lines.size());
    bool line_start = true;
    for (const char c : lines) {
      if (!(line_start && c == '\t')) text += c;
      line_start = c == '\n';
    }
    return text;
  }

  void checkpoint() {
    checkpointed = scanner.offset();
    context.sink.checkpoint();
  }

  /// False: the caller wants no more.
  bool tell() {
    const std::uint64_t at = scanner.offset();
    if (at - checkpointed >= kCheckpoint) checkpoint();
    if (at - told < kStep) return true;
    told = at;
    return !options.progress || options.progress(input.inner().consumed(), input.inner().file_size());
  }

  Result<std::uint64_t> poll(bool finishing) {
    const std::uint64_t before = context.summary.records;
    if (stopped) return std::uint64_t{0};
    if (identity.empty()) {
      auto enough = input.gather(kIdentityBytes);
      if (!enough) return tl::unexpected(enough.error());
      if (!*enough && !finishing) return std::uint64_t{0};
      if (input.head().empty()) return tl::unexpected(no_trace());
      context.summary.identity = identity = identity_of(input.head());
    }
    for (;;) {
      auto raw = scanner.next();
      if (!raw) {
        if (context.summary.records == 0) return tl::unexpected(raw.error());
        context.problem(scanner.offset(), raw.error().what, raw.error().hint);
        stopped = true;
        break;
      }
      if (!*raw) break;
      take(**raw, false);
      if (context.summary.records == 0 && scanner.offset() > kGiveUp) return tl::unexpected(no_trace());
      if (!tell()) {
        stopped = true;
        break;
      }
    }
    return context.summary.records - before;
  }

  Result<TraceSummary> finish() {
    auto taken = poll(true);
    if (!taken) return tl::unexpected(taken.error());
    if (!stopped)
      if (const auto rest = scanner.rest()) take(*rest, true);
    if (context.summary.records == 0) return tl::unexpected(no_trace());
    foreign_done();
    for (auto& [pid, process] : processes) process.finish();
    context.sink.checkpoint();
    context.summary.bytes = scanner.offset();
    return context.summary;
  }
};

TraceReader::TraceReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
TraceReader::~TraceReader() = default;

Result<std::unique_ptr<TraceReader>> TraceReader::open(const std::string& path, TraceOptions options,
                                                       ComponentPool& pool, RecordSink& sink) {
  auto source = Source::open(path);
  if (!source) return tl::unexpected(source.error());
  auto state = std::make_unique<State>(std::move(*source), std::move(options), pool, sink);
  return std::unique_ptr<TraceReader>(new TraceReader(std::move(state)));
}

Result<std::uint64_t> TraceReader::poll() {
  return state_->poll(false);
}
Result<TraceSummary> TraceReader::finish() {
  return state_->finish();
}

Result<TraceSummary> read_trace(const std::string& path, const TraceOptions& options, ComponentPool& pool,
                                RecordSink& sink) {
  auto reader = TraceReader::open(path, options, pool, sink);
  if (!reader) return tl::unexpected(reader.error());
  return (*reader)->finish();
}

bool looks_like_trace(std::string_view head) {
  return TraceHeader::parse(head.substr(0, head.find('\n'))).has_value();
}

}  // namespace keyhole
