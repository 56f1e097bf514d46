// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace keyhole {

/// What kind of failure; tells the caller whether to try again, to mend the input, or to report a bug.
enum class ErrorKind {
  bad_input,    ///< what came from outside is malformed; retrying does not help
  not_found,    ///< what was named does not exist
  busy,         ///< another process holds a lock; try again
  corrupt,      ///< our own file is damaged: `keyhole verify --repair`
  io,           ///< the operating system refused (disk full, permission, network folder)
  unsupported,  ///< a newer format or a feature that is not built in
  usage,        ///< the caller broke the contract (wrong argument)
  internal      ///< our bug
};

/// One failure in one line: what happened, where (file, offset, key), and what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string what;   ///< "the trace ends in the middle of a record"
  std::string where;  ///< "run1/trace.log:813320"; empty: nowhere in particular
  std::string hint;   ///< "import it again when the run has ended"; empty: nothing to advise

  /// "what (where); hint", without a newline.
  [[nodiscard]] std::string line() const;
};

/// The value, or the one reason why there is none. Functions that return it do not throw for anything but lack of
/// memory.
template <class T>
using Result = tl::expected<T, Error>;

/// Shorthand for `return fail(ErrorKind::io, ...)`.
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, std::string what, std::string where = {},
                                         std::string hint = {});

}  // namespace keyhole
