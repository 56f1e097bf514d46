// SPDX-License-Identifier: Apache-2.0
// How commands find what they are asked about.
#pragma once

#include <string>
#include <vector>

#include "keyhole/base/error.h"
#include "keyhole/db/reader.h"

namespace keyhole::cli {

/// Opens a store to read it, after taking in what killed recorders have left there. not_found where there is no store,
/// with the advice to record.
Result<Reader> open_store(const std::string& store);

/// There is no store in that folder, with the advice to record.
[[nodiscard]] Error no_store(const std::string& store);

/// The run of that name, or the last one where `name` is empty. not_found: says which runs there are.
Result<RunRow> find_run(Reader& reader, const std::string& name);

/// The lookup that TARGET names: `last` (the last of the run), a lookup's number, a compile id such as 0/0 (its
/// outermost lookup that did not hit, else its outermost), a key or the unique beginning of one (its newest lookup).
/// `run` empty: the last.
Result<LookupRow> find_lookup(Reader& reader, const std::string& target, const std::string& run);

}  // namespace keyhole::cli
