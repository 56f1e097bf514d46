// SPDX-License-Identifier: Apache-2.0
#include "inspector/models/workspace.h"

namespace keyhole::inspector {
namespace {

constexpr std::size_t kLayoutsRemembered = 200;
constexpr int kWatchMilliseconds = 1000;

}  // namespace

Workspace::Workspace(QObject* parent) : QObject(parent) {
  connect(&lookup_filter_, &FilterStack::changed, this, &Workspace::filter_changed);
  connect(&lookup_filter_, &FilterStack::applied, this, [this](const QString& text) {
    place_.filter = text;
    places_[at_] = place_;
  });
}
Workspace::~Workspace() = default;

void Workspace::open(Session::Opener opener, const QString& name) {
  session_ = std::make_unique<Session>(std::move(opener));
  name_ = name;
  connect(session_.get(), &Session::opened, this, [this] {
    session_->watch(kWatchMilliseconds);
    Q_EMIT opened();
    session_->ask(
        Session::Lane::quick, this, 0,
        [](Source& source, const Ticket&) -> Result<std::string> { return source.version_note(); },
        [this](const Result<std::string>& note) {
          if (note && !note->empty()) Q_EMIT said(QString::fromStdString(*note));
        });
  });
  connect(session_.get(), &Session::failed, this, &Workspace::failed);
  connect(session_.get(), &Session::changed, this, &Workspace::rows_changed);
  lookup_filter_.clear();
  entry_filter_.clear();
  place_ = Place{PageId::overview, {}, 0, 0, {}};
  places_ = {place_};
  at_ = 0;
  Q_EMIT store_changed();
  Q_EMIT place_changed();
}

void Workspace::close() {
  session_.reset();
  name_.clear();
  place_ = Place{PageId::start, {}, 0, 0, {}};
  places_ = {place_};
  at_ = 0;
  Q_EMIT store_changed();
  Q_EMIT place_changed();
}

void Workspace::close_failed() {
  place_ = Place{PageId::start, {}, 0, 0, {}};
  places_ = {place_};
  at_ = 0;
  Q_EMIT place_changed();
}

void Workspace::select(RowId lookup) {
  if (lookup == place_.lookup) return;
  place_.lookup = lookup;
  place_.against = 0;
  places_[at_] = place_;
  Q_EMIT selection_changed(lookup);
}

void Workspace::go(Place place) {
  if (place == place_) return;
  places_.resize(at_ + 1);
  places_.push_back(place);
  if (places_.size() > kLayoutsRemembered) places_.erase(places_.begin());
  at_ = places_.size() - 1;
  apply(place);
}

void Workspace::go(PageId page) {
  Place place = place_;
  place.page = page;
  go(std::move(place));
}

void Workspace::go_to_rows(const QString& filter) {
  Place place = place_;
  place.page = PageId::history;
  place.filter = filter;
  go(std::move(place));
}

void Workspace::explain(RowId lookup) {
  Place place = place_;
  place.page = PageId::diagnose;
  place.lookup = lookup;
  place.against = 0;
  place.tab = QStringLiteral("why");
  go(std::move(place));
}

void Workspace::back() {
  if (can_go_back()) apply(places_[--at_]);
}

void Workspace::forward() {
  if (can_go_forward()) apply(places_[++at_]);
}

void Workspace::apply(const Place& place) {
  const Place before = place_;
  place_ = place;
  lookup_filter_.set(place.filter);
  if (before.lookup != place.lookup) Q_EMIT selection_changed(place.lookup);
  Q_EMIT place_changed();
}

}  // namespace keyhole::inspector
