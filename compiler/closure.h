// SPDX-License-Identifier: Apache-2.0
// All that one compile took from the file system beside its command: what was read, and what was looked for in vain.
#pragma once

#include <string>
#include <vector>

#include "includes.h"
#include "keyhole/base/digest.h"
#include "stamp.h"

namespace keyhole {

struct ClosureFile {
  std::string path;  ///< as the compiler named it, so perhaps relative to its folder
  Stamp stamp;
  Digest digest;  ///< SHA-256 of its bytes
};

/// A folder on the search path. A name is its first part only: where "bits" is missing, so is "bits/x.h".
struct ClosureFolder {
  std::string path;
  Stamp stamp;                       ///< not exists(): it had just changed, so its names are looked at every time
  std::vector<std::string> missing;  ///< were looked for and not there
  std::vector<std::string> present;  ///< were looked for and there, but not read: another folder went before
};

struct Closure {
  std::vector<ClosureFile> files;      ///< sorted by path, each once; the source among them
  std::vector<ClosureFolder> folders;  ///< sorted by path
  std::string refusal;                 ///< why the result cannot be kept; empty: it can
  std::string refused_file;            ///< which file it is about
};

struct ClosureRequest {
  std::string source;            ///< empty: none, objects are linked
  std::vector<Entered> entered;  ///< of every pass
  bool flat = false;             ///< who asked for the files in `entered` is not known
  bool said = false;             ///< the compiler said something, perhaps with lines of the files that #line names
  /// Files that are included without being named in any text: -include, gcc's own stdc-predef.h. Where several places
  /// have one, all count as read.
  std::vector<std::string> pre_included;
  std::vector<std::string> search;  ///< folders that headers are looked for in, in any order
  std::vector<std::string> plain;   ///< files that were read and ask for no others: objects, libraries
  std::vector<std::string> places;  ///< paths that were looked at, there or not
  std::int64_t start = 0;           ///< file_clock() when the compile began
  bool time_is_fixed = false;       ///< SOURCE_DATE_EPOCH says what __DATE__ and __TIME__ are
};

/// To be called when the compile has ended: a file that changed since `start` refuses, so that what is read here is
/// what the compiler read. Of every name that any of the files may include, all places on the search path are noted,
/// found or not: then the order of the search path need not be known.
[[nodiscard]] Closure close_over(const ClosureRequest& request);

/// Whether everything is still as it was. `refreshed` is set where contents were equal but stamps were not: then the
/// stamps in `closure` are the new ones, and worth writing down.
[[nodiscard]] bool still_holds(Closure& closure, bool& refreshed);

/// The digest of a file's bytes; false where it cannot be read.
bool digest_file(const std::string& path, Digest& digest);

}  // namespace keyhole
