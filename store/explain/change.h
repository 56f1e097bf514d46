// SPDX-License-Identifier: Apache-2.0
// What differs between two component sets, one component at a time: class, and the text narrowed to what changed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "keyhole/base/records.h"

namespace keyhole::explain_detail {

/// A component that differs, or stands on one side only.
struct Change {
  ComponentPtr before = nullptr;  ///< null: only in the later set
  ComponentPtr after = nullptr;   ///< null: only in the earlier set
  [[nodiscard]] const std::string& name() const { return (after != nullptr ? after : before)->name; }
  [[nodiscard]] std::string_view attr() const;   ///< "inductor_config"
  [[nodiscard]] std::string_view index() const;  ///< "epilogue_fusion"; empty where there is none
};

/// Components whose digests differ, in the order of `after`, then what is only in `before`. Equal digests are equal
/// whatever their texts say. Linear where both sets have the same names in the same order, as two lookups of a layer
/// do.
std::vector<Change> differences(const std::vector<ComponentPtr>& before, const std::vector<ComponentPtr>& after);

/// What a change is, by the component's name and its texts.
struct Narrowed {
  std::string cause_class;
  std::string aspect;         ///< "shape", "dtype": what of an input changed; empty for other components
  std::string before, after;  ///< as PyTorch prints them, only what changed
};
/// `numbers`: sizes that changed are added to it as pairs.
Narrowed narrow(const Change& change, std::vector<std::pair<std::string, std::string>>* numbers = nullptr);

/// The class of a component by its name alone: "config" for "inductor_config[x]". Never empty.
std::string_view class_of(std::string_view name);

/// What identifies the processes of two lookups: values that hold it differ in every run.
struct Circumstances {
  std::int64_t pid_before = -1, pid_after = -1;
  int rank_before = -1, rank_after = -1;
};
/// "time", "pid", "uuid" …: the texts differ only in such a value; empty: they do not, or it cannot be told.
std::string_view instability(std::string_view name, std::string_view before, std::string_view after,
                             const Circumstances& where);

/// "a,b,c" and "b,c,a": three words or more, joined by commas, in another order.
bool reordered_words(std::string_view before, std::string_view after);

}  // namespace keyhole::explain_detail
