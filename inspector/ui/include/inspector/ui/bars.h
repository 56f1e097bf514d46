// SPDX-License-Identifier: Apache-2.0
// The small parts around the pages: filter bar, message panel, empty state, jump box.
#pragma once

#include <QCompleter>
#include <QFrame>
#include <QLineEdit>
#include <functional>

#include "inspector/models/workspace.h"

class QLabel;
class QHBoxLayout;
class QListView;
class QPushButton;
class QStringListModel;
class QProgressBar;
class QTimer;

namespace keyhole::inspector {

class ImportJob;
class NodeModel;

/// The filter as text, with completion, the error marked at its column, and a chip a condition.
class FilterBar : public QWidget {
  Q_OBJECT
 public:
  explicit FilterBar(FilterStack& filters, QWidget* parent = nullptr);
  [[nodiscard]] QLineEdit* edit() const { return edit_; }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void show_filter();
  void complete();

  FilterStack& filters_;
  QLineEdit* edit_;
  QLabel* error_;
  QWidget* chips_;
  QHBoxLayout* chip_row_;
  QCompleter* completer_;
  QStringListModel* words_;
};

/// What went wrong, where, and what to do next; stays until it is closed. Messages of success fade by themselves.
class MessagePanel : public QFrame {
  Q_OBJECT
 public:
  explicit MessagePanel(QWidget* parent = nullptr);
  void show_error(const Error& error);
  void show_notice(const QString& text);
  [[nodiscard]] QString text() const;

 private:
  void become(const QString& kind);

  QLabel* text_;
  QLabel* hint_;
  QTimer* timer_;
};

/// The import in progress: what is read, how far, how long it still takes, and a way to stop it.
class ImportPanel : public QFrame {
  Q_OBJECT
 public:
  explicit ImportPanel(Workspace& workspace, QWidget* parent = nullptr);
  ~ImportPanel() override;
  /// Takes paths into a store; queued behind an import in progress.
  void start(const QString& store, const QStringList& paths);
  [[nodiscard]] bool busy() const { return job_ != nullptr; }

 Q_SIGNALS:
  void finished(const QString& store);

 private:
  void next();

  Workspace& workspace_;
  QLabel* text_;
  QProgressBar* bar_;
  QPushButton* cancel_;
  ImportJob* job_ = nullptr;
  std::vector<std::pair<QString, QStringList>> waiting_;
};

/// In the middle of a page that has nothing to show: what is missing and what to do.
class EmptyState : public QWidget {
  Q_OBJECT
 public:
  EmptyState(const QString& title, const QString& text, QWidget* parent = nullptr);
  void set(const QString& title, const QString& text);
  QPushButton* add_action(const QString& text, std::function<void()> action);

 private:
  QLabel* title_;
  QLabel* text_;
  QHBoxLayout* actions_;
};

/// Ctrl+K: a key, a lookup's number, a compile id, a run or a page, found as it is typed.
class JumpBox : public QFrame {
  Q_OBJECT
 public:
  explicit JumpBox(Workspace& workspace, QWidget* parent);
  void open();

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void search(const QString& text);
  void choose();

  Workspace& workspace_;
  QLineEdit* edit_;
  QListView* list_;
  NodeModel* model_;
};

}  // namespace keyhole::inspector
