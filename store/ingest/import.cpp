// SPDX-License-Identifier: Apache-2.0
#include "keyhole/ingest/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "file_bytes.h"
#include "keyhole/ingest/cache_folder.h"
#include "keyhole/ingest/mega_cache.h"
#include "keyhole/ingest/pickle.h"
#include "keyhole/ingest/source.h"
#include "keyhole/ingest/torch_log.h"
#include "keyhole/ingest/trace.h"
#include "keyhole/ingest/vllm.h"
#include "lookup_index.h"

namespace fs = std::filesystem;

namespace keyhole {
namespace {

constexpr std::size_t kHead = 1 << 16;
constexpr int kMaxFolderDepth = 32;
constexpr std::size_t kMaxFiles = 1'000'000;
constexpr const char* kReads =
    "it reads traces (TORCH_TRACE), Inductor and Triton cache folders, mega-cache files, TORCH_LOGS text, vLLM's "
    "cache_key_factors.json";

bool looks_like_text(std::string_view head) {
  return !head.empty() && head.find('\0') == std::string_view::npos;
}

/// Names that output of a program is kept under: PyTorch's lines may begin far behind its own.
bool named_like_a_log(const std::string& path) {
  std::string name = fs::path(path).filename().string();
  for (const char* compression : {".gz", ".xz", ".zst"}) {
    if (name.ends_with(compression)) name.resize(name.size() - std::string_view(compression).size());
  }
  static constexpr std::array<std::string_view, 5> kEndings = {".log", ".txt", ".err", ".out", ".stderr"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view e) { return name.ends_with(e); }) ||
         name.find("stderr") != std::string::npos || name.find("stdout") != std::string::npos;
}

struct Found {
  SourceKind kind = SourceKind::unknown;
  std::string path;
  std::int64_t size = 0;
  bool perhaps = false;  ///< a text that may hold lines of PyTorch's log
};

SourceKind detect_file(const std::string& path, bool& perhaps) {
  const auto head = read_head(path, kHead);
  if (!head) return SourceKind::unknown;
  if (looks_like_trace(*head)) return SourceKind::trace;
  if (looks_like_torch_log(*head)) return SourceKind::torch_log;
  if (looks_like_mega_cache(*head)) return SourceKind::mega_cache;
  if (looks_like_vllm_factors(path, *head)) return SourceKind::vllm_factors;
  perhaps = looks_like_text(*head);
  return SourceKind::unknown;
}

SourceKind detect_folder(const std::string& path) {
  if (is_cache_folder(path)) return SourceKind::cache_folder;
  if (is_triton_folder(path)) return SourceKind::triton_folder;
  return SourceKind::folder;
}

/// Files that people give in the place of what lies in them or beside them.
struct Mistaken {
  std::size_t at;
  std::string_view bytes;
  const char* what;
  const char* hint;
};
constexpr std::array<Mistaken, 4> kMistaken = {{
    {257, "ustar", "a tar archive", "unpack it (tar xf) and give the folder"},
    {0, "PK\x03\x04", "a zip archive",
     "unpack it and give the folder; a package of AOTInductor and a checkpoint hold no lookups"},
    {0, "{\"string_table\"", "a trace that tlparse has rewritten", "give raw.log beside it, or the trace itself"},
    {0, "SQLite format 3", "an SQLite database", "a store of Keyhole is named by its folder: --store FOLDER"},
}};

/// Why a file that was named is not read.
Error why_unknown(const std::string& path) {
  constexpr std::size_t kLoosePickle = 64u << 20;
  const auto head = read_head(path, kHead);
  if (!head) return head.error();
  if (head->empty()) return {ErrorKind::bad_input, "the file is empty", path, kReads};
  for (const Mistaken& m : kMistaken)
    if (head->size() > m.at && head->compare(m.at, m.bytes.size(), m.bytes) == 0)
      return {ErrorKind::bad_input, m.what, path, m.hint};
  const bool pickled = head->size() > 1 && (*head)[0] == '\x80' && (*head)[1] >= 2 && (*head)[1] <= 5;
  if (!pickled) return {ErrorKind::bad_input, "nothing here that Keyhole reads", path, kReads};
  const auto whole = read_whole(path, kLoosePickle);
  if (!whole) return whole.error();
  const auto document = pickle::Document::parse(*whole);
  Error error{ErrorKind::bad_input, "a pickle by itself", path,
              "give the cache folder that it lies in: an entry's key is the name of its folder"};
  if (const auto& problem = document.problem()) {
    error.what = "a pickle that cannot be read: " + problem->what;
    error.where += ":" + std::to_string(problem->offset);
  }
  for (const auto& called : document.callables()) {
    if (!called.suspicious) continue;
    error.what += fmt::format("; loading it would run {}.{}, nothing was run", called.module, called.name);
    break;
  }
  return error;
}

/// Counts what passes.
class Counter : public LookupIndex {
 public:
  using LookupIndex::LookupIndex;
  void lookup(ProcessId process, const LookupRecord& record) override {
    ++lookups;
    LookupIndex::lookup(process, record);
  }
  void entry(SnapshotId snapshot, const EntryRecord& record) override {
    ++entries;
    LookupIndex::entry(snapshot, record);
  }
  void problem(const Problem& p) override {
    ++problems;
    LookupIndex::problem(p);
  }
  std::int64_t lookups = 0, entries = 0, problems = 0;
};

class Importer {
 public:
  Importer(const ImportOptions& options, ComponentPool& pool, RecordSink& sink)
      : options_(options), pool_(pool), sink_(sink) {}

  Result<ImportSummary> run(const std::string& path) {
    std::error_code error;
    const auto status = fs::status(path, error);
    if (!fs::exists(status)) {
      const bool there = error && error != std::errc::no_such_file_or_directory && error != std::errc::not_a_directory;
      return fail(there ? ErrorKind::io : ErrorKind::not_found,
                  there ? error.message() : "there is no such file or folder", path);
    }
    alone_ = !fs::is_directory(status);
    if (alone_) {
      file(path);
    } else if (const SourceKind kind = detect_folder(path); kind != SourceKind::folder) {
      cache(kind, path);
    } else {
      walk(path, 0);
      // A copy of a cache folder that holds nothing tells that nothing was there.
      if (found_.empty() && summary_.passed_over == 0 && !options_.location.empty())
        add(SourceKind::cache_folder, path, false);
    }
    // Traces first: logs add to their lookups.
    std::stable_sort(found_.begin(), found_.end(), [](const Found& a, const Found& b) { return order(a) < order(b); });
    for (const Found& f : found_) total_ += f.size;
    for (const Found& f : found_) {
      if (summary_.stopped) break;
      if (!tell(0)) break;
      take(f);
      done_ += f.size;
    }
    summary_.lookups = sink_.lookups;
    summary_.entries = sink_.entries;
    summary_.problems = sink_.problems;
    const auto read = summary_.traces + summary_.logs + summary_.folders + summary_.mega_caches + summary_.vllm;
    if (read == 0 && summary_.unchanged == 0 && !summary_.stopped && summary_.problems == 0) {
      if (first_error_.what.empty() && !alone_)
        return fail(ErrorKind::bad_input, "nothing here that Keyhole reads", path, kReads);
      if (first_error_.what.empty()) return tl::unexpected(why_unknown(path));
      return tl::unexpected(first_error_);
    }
    tell(0);
    return summary_;
  }

 private:
  static int order(const Found& f) {
    switch (f.kind) {
      case SourceKind::trace:
        return 0;
      case SourceKind::torch_log:
      case SourceKind::unknown:
        return 1;
      case SourceKind::vllm_factors:
        return 2;
      default:
        return 3;
    }
  }

  void add(SourceKind kind, const std::string& path, bool perhaps) {
    std::error_code error;
    const auto size = fs::is_directory(path, error) ? 0 : static_cast<std::int64_t>(fs::file_size(path, error));
    found_.push_back({kind, path, error ? 0 : size, perhaps});
  }

  void file(const std::string& path) {
    bool perhaps = false;
    const SourceKind kind = detect_file(path, perhaps);
    if (kind == SourceKind::unknown && !(perhaps && (alone_ || named_like_a_log(path)))) {
      ++summary_.passed_over;
      // What was named must be read, and why it cannot be is worth more than that it is nothing known.
      if (alone_) first_error_ = why_unknown(path);
      return;
    }
    add(kind, path, perhaps);
  }

  void cache(SourceKind kind, const std::string& path) {
    add(kind, path, false);
    walk(path, kMaxFolderDepth);  // a trace may lie beside the cache's own folders
  }

  void walk(const std::string& folder, int depth) {
    std::error_code error;
    std::vector<std::string> folders, files;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      std::error_code ignored;
      if (it->is_directory(ignored)) {
        if (!it->is_symlink(ignored)) folders.push_back(it->path().string());
      } else if (it->is_regular_file(ignored)) {
        files.push_back(it->path().string());
      }
    }
    if (error) sink_.problem({folder, -1, error.message(), ""});
    std::sort(folders.begin(), folders.end());
    std::sort(files.begin(), files.end());
    for (const std::string& f : files) {
      if (found_.size() + static_cast<std::size_t>(summary_.passed_over) > kMaxFiles) break;
      file(f);
    }
    if (depth >= kMaxFolderDepth) return;
    for (const std::string& f : folders) {
      const SourceKind kind = detect_folder(f);
      if (kind == SourceKind::folder) {
        walk(f, depth + 1);
      } else {
        cache(kind, f);
      }
    }
  }

  /// False: the caller wants no more.
  bool tell(std::int64_t within) {
    if (!options_.progress || options_.progress(std::min(done_ + within, total_), total_)) return true;
    summary_.stopped = true;
    return false;
  }

  void refuse(const Error& error, const std::string& path) {
    if (first_error_.what.empty()) first_error_ = error;
    if (!alone_) sink_.problem({path, -1, error.what, error.hint});
  }

  /// Whether nothing was added since the source was read last; its identity for noting it afterwards.
  bool unchanged(const Found& f, std::string& identity) {
    if (!options_.source_taken || !options_.note_source) return false;
    const auto head = read_head(f.path, kIdentityBytes);
    if (!head || head->empty()) return false;
    identity = identity_of(*head);
    if (options_.source_taken(identity) < f.size) return false;
    ++summary_.unchanged;
    return true;
  }

  void note(const Found& f, const std::string& identity) {
    if (!identity.empty() && !summary_.stopped) options_.note_source(identity, f.size);
  }

  void take(const Found& f) {
    switch (f.kind) {
      case SourceKind::trace:
        return trace(f);
      case SourceKind::torch_log:
      case SourceKind::unknown:
        return log(f);
      case SourceKind::vllm_factors: {
        const auto read = read_vllm_factors(f.path, pool_, sink_);
        if (!read) return refuse(read.error(), f.path);
        ++summary_.vllm;
        return;
      }
      default:
        return snapshot(f);
    }
  }

  void trace(const Found& f) {
    std::string identity;
    if (unchanged(f, identity)) return;
    sink_.begin_source(fs::path(f.path).parent_path().string());
    TraceOptions options;
    options.growing = options_.growing;
    options.progress = [this](std::int64_t taken, std::int64_t) { return tell(taken); };
    const auto read = read_trace(f.path, options, pool_, sink_);
    if (!read) return refuse(read.error(), f.path);
    ++summary_.traces;
    note(f, identity);
  }

  void log(const Found& f) {
    std::string identity;
    if (f.kind == SourceKind::torch_log && unchanged(f, identity)) return;
    sink_.begin_source(fs::path(f.path).parent_path().string());
    LogOptions options;
    options.progress = [this](std::int64_t taken, std::int64_t) { return tell(taken); };
    const auto read = read_torch_log(f.path, options, pool_, sink_, &sink_);
    if (!read) return refuse(read.error(), f.path);
    if (read->lines == 0) {
      ++summary_.passed_over;
      return;
    }
    ++summary_.logs;
    note(f, identity);
  }

  void snapshot(const Found& f) {
    FolderOptions options;
    options.location = options_.location;
    options.moment = options_.moment;
    options.quick = options_.quick;
    options.progress = [this](std::int64_t done, std::int64_t total) {
      // A folder's bytes are only known now.
      if (folder_total_ < total) {
        total_ += total - folder_total_;
        folder_total_ = total;
      }
      return tell(done);
    };
    folder_total_ = f.size;
    const auto read = f.kind == SourceKind::cache_folder    ? read_cache_folder(f.path, options, pool_, sink_)
                      : f.kind == SourceKind::triton_folder ? read_triton_folder(f.path, options, pool_, sink_)
                                                            : read_mega_cache_file(f.path, options, pool_, sink_);
    done_ += folder_total_ - f.size;
    if (!read) return refuse(read.error(), f.path);
    if (read->stopped) summary_.stopped = true;
    ++(f.kind == SourceKind::mega_cache ? summary_.mega_caches : summary_.folders);
  }

  const ImportOptions& options_;
  ComponentPool& pool_;
  Counter sink_;
  std::vector<Found> found_;
  ImportSummary summary_;
  Error first_error_;
  bool alone_ = false;
  std::int64_t done_ = 0, total_ = 0, folder_total_ = 0;
};

}  // namespace

const char* name_of(SourceKind kind) {
  switch (kind) {
    case SourceKind::unknown:
      return "unknown file";
    case SourceKind::missing:
      return "nothing";
    case SourceKind::folder:
      return "folder";
    case SourceKind::trace:
      return "trace";
    case SourceKind::torch_log:
      return "TORCH_LOGS text";
    case SourceKind::cache_folder:
      return "Inductor cache folder";
    case SourceKind::triton_folder:
      return "Triton cache folder";
    case SourceKind::mega_cache:
      return "mega-cache file";
    case SourceKind::vllm_factors:
      return "vLLM cache_key_factors.json";
  }
  return "unknown file";
}

SourceKind detect(const std::string& path) {
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) return SourceKind::missing;
  if (fs::is_directory(status)) return detect_folder(path);
  bool perhaps = false;
  return detect_file(path, perhaps);
}

Result<ImportSummary> import_path(const std::string& path, const ImportOptions& options, ComponentPool& pool,
                                  RecordSink& sink) {
  return Importer(options, pool, sink).run(path);
}

}  // namespace keyhole
