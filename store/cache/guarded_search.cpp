// SPDX-License-Identifier: Apache-2.0
#include "keyhole/cache/guarded_search.h"

#include <unordered_map>

namespace keyhole {
namespace {

constexpr std::size_t kKept = 1024;  // parsed guards a thread

/// Parsing costs more than the rest of a small lookup; guards repeat.
const Result<GuardExpression>& parsed(std::string_view text) {
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  static thread_local std::unordered_map<std::string, Result<GuardExpression>, Hash, std::equal_to<>> kept;
  if (const auto found = kept.find(text); found != kept.end()) return found->second;
  if (kept.size() >= kKept) kept.clear();
  auto expression = GuardExpression::parse(text);
  return kept.emplace(std::string(text), std::move(expression)).first->second;
}

}  // namespace

bool GuardedSearch::offer(std::string_view guard) {
  before_ = state_;
  guard_before_ = guard_;
  if (guard.empty()) {
    if (!keep_failed_) guard_.clear();
    state_ = State::hit;
    return true;
  }
  guard_ = guard;
  if (skip_) {
    state_ = State::hit;
    return true;
  }
  const auto& expression = parsed(guard);
  const auto holds = expression ? expression->evaluate(*hints_) : Result<bool>(tl::unexpected(expression.error()));
  if (!holds) error_ = holds.error().line();
  state_ = holds.value_or(false) ? State::hit : State::guard_miss;
  return state_ == State::hit;
}

void GuardedSearch::refuse() {
  state_ = State::guard_miss;
}

void GuardedSearch::withdraw() {
  state_ = before_;
  guard_ = guard_before_;
}

const char* GuardedSearch::status() const {
  return state_ == State::hit ? "hit" : state_ == State::guard_miss ? "guard_miss" : "full_miss";
}

Outcome GuardedSearch::outcome() const {
  if (state_ == State::hit) return Outcome::hit;
  if (!error_.empty()) return Outcome::error;
  return state_ == State::guard_miss ? Outcome::guard_miss : Outcome::miss;
}

}  // namespace keyhole
