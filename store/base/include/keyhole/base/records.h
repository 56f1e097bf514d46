// SPDX-License-Identifier: Apache-2.0
// The plain structs that travel through Keyhole: readers (ingest) make them, the Recorder stores them, the Reader gives
// them back, explain works on them. No behaviour, no SQL, no Qt. Words as in docs: run, process, compile, layer, key,
// component, lookup, entry, snapshot.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/base/digest.h"

namespace keyhole {

using Nanoseconds = std::int64_t;  ///< times are since 1970-01-01 UTC, durations are spans; -1: not known
inline constexpr Nanoseconds kUnknownTime = -1;

// The numbers of these enumerations reach disk: never renumber, never reuse.

/// Which cache.
enum class Layer : std::uint8_t {
  dynamo = 1,
  aot_autograd = 2,
  fx_graph = 3,
  autotune = 4,
  triton = 5,
  code = 6,
  cuda = 7,
  remote = 8
};
/// What became of a lookup.
enum class Outcome : std::uint8_t { hit = 1, miss = 2, guard_miss = 3, bypass = 4, error = 5 };
/// Which graph of a training step; `unknown` where nothing told (AOTAutograd lookups cover both).
enum class Direction : std::uint8_t { unknown = 0, inference = 1, forward = 2, backward = 3 };
/// State of one stored file or row of a location.
enum class EntryState : std::uint8_t {
  ok = 1,          ///< decodes
  damaged = 2,     ///< present, does not decode (truncated, other bytes)
  unreadable = 3,  ///< present, cannot be opened (permission, a directory of that name)
  vanished = 4     ///< was listed, was gone when it was to be read
};
/// When a snapshot was taken, relative to the run that it is attached to.
enum class SnapshotMoment : std::uint8_t { unknown = 0, before = 1, after = 2 };
/// What a text is.
enum class TextKind : std::uint8_t {
  dynamo_graph = 1,
  aot_joint_graph = 2,
  aot_forward_graph = 3,
  aot_backward_graph = 4,
  aot_inference_graph = 5,
  pre_grad_graph = 6,
  post_grad_graph = 7,
  output_code = 8,
  dynamo_guards = 9,
  functorch_config = 10,
  recompile_reasons = 11,
  traceback = 12,
  inductor_config = 13,
  dynamo_config = 14
};

[[nodiscard]] const char* name_of(Layer layer);          ///< "fx_graph"
[[nodiscard]] const char* name_of(Outcome outcome);      ///< "guard_miss"
[[nodiscard]] const char* name_of(Direction direction);  ///< "backward"
[[nodiscard]] const char* name_of(EntryState state);     ///< "damaged"
[[nodiscard]] const char* name_of(TextKind kind);        ///< "aot_forward_graph"
[[nodiscard]] std::optional<Layer> layer_named(std::string_view name);
[[nodiscard]] std::optional<Outcome> outcome_named(std::string_view name);

/// One named part of a key: PyTorch's debug line `[digest] attr[index]: text`. The digest is the truth, the text only
/// how it was shown (it may hold addresses, newlines, NUL, and is cut at 1024 characters where it was bytes).
struct Component {
  std::string name;  ///< "gm", "example_inputs[2]", "inductor_config[epilogue_fusion]"
  Digest digest;
  std::string text;
};
/// Components are shared: a ComponentPool (keyhole/base/pool.h) owns them and outlives who points at them.
using ComponentPtr = const Component*;

/// One program run. `name` is what the user calls it; unique in a store. Empty name: one is made from argv and start.
struct RunRecord {
  std::string name;
  std::vector<std::string> argv;
  std::string cwd;
  std::string env_json;    ///< JSON object of the variables that matter; empty: not known
  std::string git_commit;  ///< empty: not known
  bool git_dirty = false;
  std::string versions_json;  ///< JSON object, e.g. {"torch": "2.13.0"}; empty: not known
  Nanoseconds start = kUnknownTime, end = kUnknownTime;
  std::optional<int> exit_status;  ///< of the program; absent: not ended, or imported
};

/// One operating-system process of a run.
struct ProcessRecord {
  std::string identity;  ///< unique within the store: made by the reader from the source's first bytes and the pid
  std::string host;
  std::int64_t pid = -1;
  std::optional<int> rank;
  Nanoseconds start = kUnknownTime;
  std::string cache_dir;  ///< TORCHINDUCTOR_CACHE_DIR as the process knew it; empty: not known
  std::string versions_json;
};

/// Dynamo's compile id and attempt. PyTorch prints "0/0", with compiled autograd "!1/0/0".
struct CompileId {
  std::int64_t frame = -1, frame_compile = -1;  ///< -1: not known
  std::int64_t attempt = 0;
  std::int64_t compiled_autograd = -1;  ///< -1: none
  [[nodiscard]] bool known() const { return frame >= 0 || compiled_autograd >= 0; }
  [[nodiscard]] std::string text() const;  ///< "0/0", "!1/0/0", "" where not known; without the attempt
  static std::optional<CompileId> parse(std::string_view text);
  friend auto operator<=>(const CompileId&, const CompileId&) = default;
};

/// What is known of one compile. Recorded more than once: later fields that are set replace, unset ones leave alone.
struct CompileRecord {
  CompileId id;
  std::string function, filename;  ///< the user's function: co_name, co_filename
  std::int64_t line = -1;
  Nanoseconds start = kUnknownTime;
  Nanoseconds total = -1;        ///< entire frame compile time
  Nanoseconds backend = -1;      ///< AOTAutograd and below
  Nanoseconds inductor = -1;     ///< Inductor and below, forward and backward
  std::string recompile_reason;  ///< why Dynamo compiled the frame again; empty: first compile or not known
  std::string fail_reason;
  bool finished = false;  ///< its compilation_metrics were seen
};

/// A symbolic size: `create_symbol` of the trace.
struct SymbolRecord {
  CompileId compile;
  std::string symbol;     ///< "s77"
  std::string value;      ///< its hint, as printed: "8"
  std::string source;     ///< "L['x'].size()[0]"
  std::string user_file;  ///< the user's line; empty: not known
  std::int64_t user_line = -1;
  std::string user_code;  ///< "y = fn(x)"
};

/// A text that belongs to a compile. Large texts repeat between runs; the store keeps each once.
struct TextRecord {
  CompileId compile;
  TextKind kind = TextKind::dynamo_graph;
  std::string name;  ///< file path for output_code; else empty
  std::string text;
};

/// One event: a layer was asked for a key.
struct LookupRecord {
  Layer layer = Layer::fx_graph;
  CompileId compile;
  std::string key;           ///< empty: none (bypass, cache off)
  std::int64_t ordinal = 0;  ///< nth lookup of (layer, key) in its process; with it a lookup is recognised again
  Outcome outcome = Outcome::miss;
  std::string status;  ///< as the producer says: "full_miss", "guard_miss", "hit", "disabled"; may contradict `outcome`
  Direction direction = Direction::unknown;
  Nanoseconds time = kUnknownTime;
  Nanoseconds duration = -1;             ///< of the lookup itself
  Nanoseconds cost = -1;                 ///< of the compile that a miss led to
  Nanoseconds saved = -1;                ///< that a hit saved
  std::string guard;                     ///< guard expression that was evaluated last; empty: none
  std::string reason;                    ///< bypass or error reason as printed
  std::vector<ComponentPtr> components;  ///< in the order of the key; empty: not recorded
  /// The layer was switched off, nothing was looked up (outcome bypass, key empty).
  bool cache_off = false;
  /// What the process said of this lookup beside it: warnings of its log. Empty: nothing known.
  std::string load_error;  ///< "EOFError: Ran out of input": an entry was there and could not be read
  std::string save_error;  ///< "NotADirectoryError: …": after the miss the entry could not be written
};

/// One stored file of a location.
struct EntryRecord {
  Layer layer = Layer::fx_graph;
  std::string key;
  std::string name;  ///< file name under the key (the digest of the content); several: several guards
  std::string path;  ///< relative to the location
  EntryState state = EntryState::ok;
  std::string state_reason;  ///< "the pickle ends at byte 43485 of 86971"; empty when ok
  std::int64_t size = 0;
  Nanoseconds modified = kUnknownTime;
  std::string guard;  ///< guard expression; empty: none
  Direction direction = Direction::unknown;
  Nanoseconds cost = -1;                 ///< compile time that the entry saves
  std::vector<ComponentPtr> components;  ///< FX entries hold their debug lines; empty: not recorded
  std::string code_key;                  ///< FX: the name of its wrapper .py
  std::vector<std::string> needs;        ///< keys and files that must be there too: AOT names its FX keys
  std::string metadata_json;             ///< the rest that is worth showing, as a JSON object; empty: nothing
};

/// The content of one location at one time.
struct SnapshotRecord {
  std::string location;             ///< the folder as the program knew it
  std::string read_from;            ///< the folder that was read (a copy, perhaps)
  Nanoseconds time = kUnknownTime;  ///< of the newest file where it is a copy, else of the reading
  SnapshotMoment moment = SnapshotMoment::unknown;
};

/// Something that could not be read. Importing goes on behind it.
struct Problem {
  std::string source;        ///< path
  std::int64_t offset = -1;  ///< byte; -1: the whole source
  std::string what;
  std::string hint;
};

}  // namespace keyhole
