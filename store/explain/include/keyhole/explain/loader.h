// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "keyhole/base/pool.h"
#include "keyhole/db/reader.h"
#include "keyhole/explain/told.h"

namespace keyhole {

/// Fills Cases from a store. Keeps the component sets that it has loaded, so many lookups of one run cost little more
/// than one. Reader, pool and loader must outlive the Cases (they ask for texts when needed). One thread at a time.
class CaseLoader {
 public:
  CaseLoader(Reader& reader, ComponentPool& pool);
  ~CaseLoader();
  CaseLoader(const CaseLoader&) = delete;
  CaseLoader& operator=(const CaseLoader&) = delete;

  /// not_found where the store has no such lookup. `against`: the user's choice of a baseline, a lookup id.
  Result<Case> load(RowId lookup, std::optional<RowId> against = {});
  /// The lookup with its explanation.
  Result<Told> tell(RowId lookup, std::optional<RowId> against = {});
  /// Every lookup of a run, in the order of time.
  Result<std::vector<Told>> tell_run(RowId run);
  /// The lookups of a run with their components, as rank_matrix() wants them.
  Result<std::vector<LookupRow>> with_components(RowId run);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhole
