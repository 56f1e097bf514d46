// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/filter_stack.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kRemembered = 200;
constexpr qint64 kPauseMilliseconds = 1000;  // of typing, after which undo stops

}  // namespace

void FilterStack::apply(const QString& text) {
  filter_ = parse_filter(text);
  if (!filter_.error) good_ = filter_;
  Q_EMIT changed();
}

void FilterStack::set(const QString& text, bool typed) {
  if (text == filter_.source) return;
  apply(text);
  if (filter_.error) return;
  const bool same_stroke = typed && last_typed_.isValid() && last_typed_.elapsed() < kPauseMilliseconds && at_ > 0;
  if (typed)
    last_typed_.start();
  else
    last_typed_.invalidate();
  texts_.resize(same_stroke ? at_ : at_ + 1);
  texts_.push_back(text);
  if (texts_.size() > kRemembered) texts_.erase(texts_.begin());
  at_ = texts_.size() - 1;
  Q_EMIT applied(text);
}

void FilterStack::clear() {
  texts_ = {QString()};
  at_ = 0;
  last_typed_.invalidate();
  apply({});
}

void FilterStack::undo() {
  if (filter_.error)
    apply(texts_[at_]);
  else if (can_undo())
    apply(texts_[--at_]);
}

void FilterStack::redo() {
  if (can_redo()) apply(texts_[++at_]);
}

}  // namespace keyhole::inspector
