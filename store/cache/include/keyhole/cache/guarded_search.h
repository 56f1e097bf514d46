// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "keyhole/base/records.h"
#include "keyhole/guard/expression.h"

namespace keyhole {

/// Which of several candidates is served: the first without a guard or whose guard holds. Candidates are offered one by
/// one, in the order of their names. SPEC: guarded cache.
class GuardedSearch {
 public:
  /// `keep_failed`: as PyTorch does, the text of a guard that failed stays although a later candidate without a guard
  /// hits.
  GuardedSearch(const Hints& hints, bool skip_guards, bool keep_failed)
      : hints_(&hints), skip_(skip_guards), keep_failed_(keep_failed) {}

  /// Whether this candidate holds. A guard that cannot be evaluated does not, and `error` says why.
  bool offer(std::string_view guard);
  /// The candidate that was offered last holds but is not what was asked for: a guard_miss.
  void refuse();
  /// The candidate that was offered last cannot be read: as if it had never been offered.
  void withdraw();

  [[nodiscard]] const char* status() const;  ///< "hit", "guard_miss", "full_miss"
  [[nodiscard]] Outcome outcome() const;     ///< error: no hit, and a guard could not be evaluated
  [[nodiscard]] const std::string& guard() const { return guard_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  const Hints* hints_;
  bool skip_, keep_failed_;
  enum class State { full_miss, guard_miss, hit };
  State state_ = State::full_miss, before_ = State::full_miss;
  std::string guard_, guard_before_, error_;
};

}  // namespace keyhole
