// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/digest.h"
#include "keyhole/base/records.h"
#include "keyhole/key/value.h"

namespace keyhole {

/// The bytes that PyTorch hashes for a value: Python's pickle, protocol 4, without memo ("fast mode"), with the
/// reducers of its graph pickler and the framing of CPython. Exact for every kind of value but sets of more than one
/// element, whose order PyTorch takes from the process's hash seed: they are written in the order given. Never used to
/// read pickles.
[[nodiscard]] std::string torch_pickle(const KeyValue& value);

/// The value's bytes as they stand within a larger stream: no header, no frames, no end. A stream without memo is
/// made of such bodies, so they can be taken out and put into another.
[[nodiscard]] std::string torch_pickle_body(const KeyValue& value);

/// The digest that a debug line of PyTorch shows for the value.
[[nodiscard]] Digest torch_digest(const KeyValue& value);

/// The attributes of a hash-details object in their order.
using DetailFields = KeyValue::Fields;

/// PyTorch's key of a details object: `f…` of FxGraphHashDetails.
[[nodiscard]] std::string torch_fx_key(const DetailFields& fields);

/// The components of a details object: one for each element of a list and each item of a map, one for each other field;
/// none for an empty list or map. Names and digests are those of PyTorch's debug lines, texts where the values tell
/// them.
[[nodiscard]] std::vector<Component> torch_components(const DetailFields& fields);

}  // namespace keyhole
