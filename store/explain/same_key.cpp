// SPDX-License-Identifier: Apache-2.0
// The order of precedence, strongest evidence first:
//   1. the process's log says that an entry was there and could not be read
//   2. PyTorch itself found the entry and refused it (guards, a lost dependency): decided by explain()
//   3. the last look at the location before the lookup shows the entry damaged
//   4. an earlier miss of the key was followed by a failed write, and nothing stored it since
//   5. another process was compiling the same key at that moment
//   6. the location was seen with the entry, or served it, and now it is not there; or it was looked at after the entry
//      should have been written and lacks it
//   7. the key is known from other locations only
//   8. an earlier miss that could not store (its compile failed; Dynamo started over; training whose backward never
//   ran)
// Else the evidence does not decide, and what is missing is named.
#include "same_key.h"

#include <algorithm>

#include "bypass.h"

namespace keyhole::explain_detail {
namespace {

bool has(const std::string& s, std::string_view what) {
  return s.find(what) != std::string::npos;
}

/// Where two folders are the same place as far as is known; an unknown one may be any.
bool may_be_same(const std::string& a, const std::string& b) {
  return a.empty() || b.empty() || a == b;
}

bool earlier_than(Nanoseconds a, Nanoseconds b) {
  return a == kUnknownTime || b == kUnknownTime || a <= b;
}

std::string run_of(const LookupRow& row) {
  return row.run_name.empty() ? "an earlier run" : "run " + row.run_name;
}

/// The subject itself, or what was looked up beside it.
bool of_this_compile(const Case& c, const LookupRow& row) {
  return row.process == c.subject.process && row.record.compile == c.subject.record.compile;
}

/// AOTAutograd stores a training graph when its backward has been compiled, which is when it first runs.
bool backward_never_compiled(const Case& c, const LookupRow& row) {
  if (row.record.layer != Layer::aot_autograd || !c.compile_of) return false;
  bool forward = false;
  for (const LookupRow& l : c.compile_of(row)) {
    if (l.record.layer != Layer::fx_graph) continue;
    if (l.record.direction == Direction::backward) return false;
    forward |= l.record.direction == Direction::forward;
  }
  return forward;
}

/// Whether that compile ended before it reached Inductor's cache.
bool asked_nothing_within(const Case& c, const LookupRow& row) {
  if (!c.compile_of) return false;
  const auto rows = c.compile_of(row);
  return std::none_of(rows.begin(), rows.end(), [](const LookupRow& l) { return l.record.layer == Layer::fx_graph; });
}

// What a miss leads to is written a little after its compile.
constexpr Nanoseconds kWriteDelay = 120'000'000'000;

/// Whether a snapshot shows the location as the subject found it. Its time says so, unless that is the time of a copy:
/// the store took the snapshot in before it knew the subject's run, and no entry in it can be what the subject wrote.
bool taken_before(const Case& c, const SnapshotRow& s) {
  if (s.run != 0 && s.run == c.subject.run && s.record.moment != SnapshotMoment::unknown)
    return s.record.moment == SnapshotMoment::before;
  const Nanoseconds now = c.subject.record.time;
  if (earlier_than(s.record.time, now)) return true;
  if (s.run != 0 || s.newest_run == 0 || s.newest_run >= c.subject.run) return false;
  return std::none_of(c.entries.begin(), c.entries.end(), [&](const SeenEntry& e) {
    const Nanoseconds written = e.entry.record.modified;
    return e.snapshot.id == s.id && written >= now &&
           written <= now + std::max<Nanoseconds>(0, c.subject.record.cost) + kWriteDelay;
  });
}

const SnapshotRow* last_look(const Case& c, const std::string& location) {
  const SnapshotRow* last = nullptr;
  for (const SnapshotRow& s : c.snapshots) {
    if (s.record.location != location || !taken_before(c, s)) continue;
    if (last == nullptr || last->record.time < s.record.time || (last->record.time == s.record.time && last->id < s.id))
      last = &s;
  }
  return last;
}

/// A remote cache has no folder to look at, and PyTorch (torch/_inductor/remote_cache.py) neither records what it puts
/// there nor tells a Redis that is out of reach from a key that is not there.
std::optional<Fate> fate_in_remote(const Case& c) {
  const LookupRow* before = nullptr;
  const LookupRow* served = nullptr;
  for (const LookupRow& row : c.same_key) {  // newest first
    if (of_this_compile(c, row)) continue;
    if (before == nullptr) before = &row;
    if (row.record.outcome == Outcome::hit && served == nullptr) served = &row;
  }
  if (before == nullptr) return std::nullopt;
  Fate fate;
  fate.earlier = served != nullptr ? served : before;
  fate.verdict = served != nullptr ? Verdict::evicted : Verdict::unknown;
  fate.what = served != nullptr ? "the remote cache served it in " + run_of(*served) +
                                      ", and did not now: it is gone, or out of reach"
                                : "the remote cache did not have it in " + run_of(*before) +
                                      " either; whether what was compiled there reached it is not recorded";
  fate.fix =
      "see that both runs use the same Redis (TORCHINDUCTOR_REDIS_URL), that it answers and keeps its keys: PyTorch "
      "takes one that is out of reach for a miss";
  return fate;
}

/// Whether the remote cache was asked for the subject's key too, in vain.
bool remote_missed(const Case& c) {
  return std::any_of(c.compile.begin(), c.compile.end(), [&](const LookupRow& l) {
    return l.record.layer == Layer::remote && l.record.outcome == Outcome::miss && l.record.key == c.subject.record.key;
  });
}

}  // namespace

std::optional<Verdict> verdict_of_load_error(const std::string& e) {
  if (e.empty()) return std::nullopt;
  for (const char* io : {"PermissionError", "OSError: [Errno 5]", "Errno 28", "Errno 13", "TimeoutError", "Timeout",
                         "lock", "Too many open files", "Errno 24", "Stale file handle", "Errno 116"}) {
    if (has(e, io)) return Verdict::io_error;
  }
  return Verdict::entry_unreadable;
}

std::optional<Fate> fate_of_key(const Case& c) {
  const LookupRecord& now = c.subject.record;
  Fate fate;
  std::string load_error = now.load_error;
  for (const LookupRow& row : c.compile) {  // AOTAutograd's attempt and the compile itself look the same key up
    if (load_error.empty() && row.record.layer == now.layer && row.record.key == now.key)
      load_error = row.record.load_error;
  }
  if (const auto v = verdict_of_load_error(load_error)) {
    fate.verdict = *v;
    fate.what = "an entry is there and could not be read: " + load_error;
    for (const LookupRow& row : c.same_key) {  // the newest that is not of this very compile
      if (of_this_compile(c, row)) continue;
      fate.earlier = &row;
      break;
    }
    return fate;
  }
  if (now.layer == Layer::remote) return fate_in_remote(c);
  const std::string& here = c.subject.cache_dir;
  const SnapshotRow* look = here.empty() ? nullptr : last_look(c, here);

  bool known_entry = false, entry_here = false, entry_elsewhere = false;
  const SeenEntry* in_look = nullptr;
  const SeenEntry* seen_here = nullptr;
  std::string elsewhere;
  for (const SeenEntry& e : c.entries) {
    const SnapshotRecord& s = e.snapshot.record;
    if (!taken_before(c, e.snapshot)) continue;  // may be what this very miss wrote
    known_entry = true;
    if (may_be_same(s.location, here)) {
      entry_here = true;
      if (look != nullptr && e.snapshot.id == look->id) {
        // Of several entries under the key one that decodes goes before damaged ones.
        if (in_look == nullptr || e.entry.record.state == EntryState::ok) in_look = &e;
      }
      if (seen_here == nullptr) seen_here = &e;
    } else {
      entry_elsewhere = true;
      elsewhere = s.location;
    }
  }

  const LookupRow* here_before = nullptr;
  const LookupRow* served = nullptr;
  const LookupRow* there_before = nullptr;
  const LookupRow* not_written = nullptr;
  for (const LookupRow& row : c.same_key) {  // newest first
    if (row.id == c.subject.id) continue;
    if (of_this_compile(c, row)) continue;  // the first try of the same compile
    if (!may_be_same(row.cache_dir, here)) {
      if (there_before == nullptr) there_before = &row;
      continue;
    }
    if (row.record.outcome == Outcome::hit && served == nullptr) served = &row;
    if (here_before == nullptr) {
      here_before = &row;
      if (!row.record.save_error.empty()) not_written = &row;
    }
  }
  // Thrown out of the store's own cache after it was stored last, and before it was asked for.
  const bool thrown_out = c.tombstone && c.tombstone->time != kUnknownTime &&
                          earlier_than(c.tombstone->time, now.time) &&
                          (here_before == nullptr || earlier_than(here_before->record.time, c.tombstone->time));
  if (here_before == nullptr && there_before == nullptr && !known_entry && !thrown_out) return std::nullopt;
  fate.earlier = here_before != nullptr ? here_before : there_before;

  if (in_look != nullptr && in_look->entry.record.state != EntryState::ok) {
    const EntryRecord& e = in_look->entry.record;
    fate.verdict = e.state == EntryState::vanished ? Verdict::evicted : Verdict::entry_unreadable;
    fate.what = std::string("the entry is ") + name_of(e.state) + (e.state_reason.empty() ? "" : ": " + e.state_reason);
    return fate;
  }
  if (thrown_out) {
    const std::string& reason = c.tombstone->reason;
    fate.verdict = Verdict::evicted;
    fate.what = std::string("it was thrown out of the cache ") +
                (reason == "size"      ? "to keep it under its size limit"
                 : reason == "age"     ? "because it was not used for longer than the age limit"
                 : reason == "damaged" ? "because it could not be read any more"
                                       : "by request");
    if (reason == "size") fate.fix = "give the cache more room: keyhole gc with a larger --max-size";
    if (reason == "age") fate.fix = "keep it longer: keyhole gc with a larger --max-age";
    return fate;
  }
  if (not_written != nullptr && served == nullptr) {
    fate.verdict = Verdict::never_saved;
    fate.what = "it missed in " + run_of(*not_written) + " and could not be written: " + not_written->record.save_error;
    fate.earlier = not_written;
    if (has(not_written->record.save_error, "Errno 28"))
      fate.fix = "free space on the disk of the cache folder: it was full in the warm-up";
    return fate;
  }
  if (here_before != nullptr && here_before->record.outcome != Outcome::hit &&
      here_before->process != c.subject.process) {
    const LookupRecord& other = here_before->record;
    if (other.time != kUnknownTime && now.time != kUnknownTime && other.cost > 0 && other.time <= now.time &&
        now.time < other.time + other.cost) {
      fate.verdict = Verdict::race;
      fate.what = "another process (" +
                  (here_before->rank                   ? "rank " + std::to_string(*here_before->rank)
                   : here_before->run == c.subject.run ? "of this run"
                                                       : run_of(*here_before)) +
                  ") missed the same key and was still compiling it";
      return fate;
    }
  }
  if (here_before != nullptr && served == nullptr && !entry_here && c.failure) {
    const std::string failed = c.failure(*here_before);
    if (now.layer == Layer::aot_autograd && failed.rfind("started over", 0) == 0 &&
        asked_nothing_within(c, *here_before)) {
      fate.verdict = Verdict::never_saved;
      fate.what = "it missed in " + run_of(*here_before) +
                  " too, where Dynamo gave the attempt up and started over: nothing is stored for it; the lookup of "
                  "the next attempt is what counts";
      fate.fix = "nothing to do here: see the lookup of the next attempt";
      return fate;
    }
    if (!failed.empty() && failed.rfind("started over", 0) != 0) {
      fate.verdict = Verdict::never_saved;
      fate.what = "it missed in " + run_of(*here_before) + ", whose compile failed: " + normalise_reason(failed);
      fate.fix = "let the compile of the warm-up end well: what failed left nothing";
      return fate;
    }
  }
  if (here_before != nullptr && served == nullptr && !entry_here && backward_never_compiled(c, *here_before)) {
    fate.verdict = Verdict::never_saved;
    fate.what = "it missed in " + run_of(*here_before) +
                ", whose backward never ran: AOTAutograd stores a training graph only after that";
    fate.fix = "run a backward pass in the warm-up, or warm up under torch.no_grad() if only the forward is needed";
    return fate;
  }
  if (seen_here != nullptr) {
    fate.verdict = Verdict::evicted;
    fate.what = in_look != nullptr ? "the entry was there when the cache folder was last looked at, and is gone"
                                   : "an earlier look at the cache folder found the entry, the last one did not";
    return fate;
  }
  if (served != nullptr) {
    fate.verdict = Verdict::evicted;
    fate.what = "it was served in " + run_of(*served) + " from the same folder, and is gone";
    fate.earlier = served;
    return fate;
  }
  if (here_before != nullptr && look != nullptr && look->run == here_before->run && look->run != 0 &&
      look->record.moment == SnapshotMoment::after) {
    fate.verdict = Verdict::never_saved;
    fate.what = "it missed in " + run_of(*here_before) + " and was not in the cache folder when that run had ended";
    return fate;
  }
  if (here_before != nullptr && look != nullptr && earlier_than(here_before->record.time, c.subject.record.time)) {
    fate.verdict = Verdict::evicted;
    fate.what = "it was compiled in " + run_of(*here_before) + ", and the cache folder does not hold it any more" +
                (remote_missed(c) ? "; the remote cache did not have it either" : "");
    return fate;
  }
  if (here_before == nullptr && (there_before != nullptr || entry_elsewhere)) {
    const std::string& folder = there_before != nullptr ? there_before->cache_dir : elsewhere;
    fate.verdict = Verdict::other_location;
    fate.what =
        "the key is known from " + folder + "; this run used " + (here.empty() ? std::string("another folder") : here);
    fate.fix = "set TORCHINDUCTOR_CACHE_DIR=" + folder + ", or copy that folder";
    return fate;
  }
  fate.verdict = Verdict::unknown;
  fate.what = fate.earlier != nullptr ? "the same key missed in " + run_of(*fate.earlier) +
                                            "; whether it was stored and removed, or never stored, is not recorded"
                                      : "the key is known; what became of its entry is not recorded";
  fate.fix =
      "record with `keyhole record` (it looks at the cache folder before and after), or import that run's log and a "
      "copy of the folder with --location";
  return fate;
}

}  // namespace keyhole::explain_detail
