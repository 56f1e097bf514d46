// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QMainWindow>

#include "inspector/models/workspace.h"
#include "inspector/ui/theme.h"

class QActionGroup;
class QHeaderView;
class QLabel;
class QListWidget;
class QPushButton;
class QSplitter;
class QStackedWidget;
class QTabWidget;

namespace keyhole::inspector {

class EmptyState;
class FilterBar;
class ImportPanel;
class JumpBox;
class MessagePanel;

/// The window: three layouts (Browse, Diagnose, Compare) over one Workspace. Nothing in it is modal.
class MainWindow : public QMainWindow {
  Q_OBJECT
 public:
  explicit MainWindow(QWidget* parent = nullptr);
  ~MainWindow() override;

  [[nodiscard]] Workspace& workspace() { return workspace_; }
  /// Opens a store by its folder and remembers it among the recent ones.
  void open_store(const QString& folder);
  /// Shows a source that is no folder (tests).
  void open(Session::Opener opener, const QString& name);
  /// Opens the first store among `paths` and takes the other paths into it, or into the default store.
  void open_paths(const QStringList& paths);
  [[nodiscard]] static bool is_store(const QString& folder);

 protected:
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void closeEvent(QCloseEvent* event) override;

 private:
  void make_menus();
  QWidget* make_top();
  QWidget* make_start();
  QWidget* make_browse();
  QWidget* make_diagnose();
  void show_place();
  void show_store(const QString& folder);
  void show_recent();
  void choose_store();
  void choose_import(bool folder);
  void save_layout(const QString& name);
  void restore_layout(const QString& name);
  [[nodiscard]] QString settings_group() const;
  [[nodiscard]] std::vector<std::pair<QString, QSplitter*>> splitters() const;
  [[nodiscard]] std::vector<std::pair<QString, QHeaderView*>> headers() const;
  void set_scheme(Scheme scheme);

  Workspace workspace_;
  QStackedWidget* stack_;
  QWidget* top_;
  QPushButton *back_, *forward_, *browse_button_, *diagnose_button_, *compare_button_;
  FilterBar* filter_;
  MessagePanel* messages_;
  ImportPanel* import_;
  JumpBox* jump_;
  QListWidget* recent_;
  QTabWidget *browse_, *explain_tabs_;
  QSplitter *diagnose_, *diagnose_top_;
  QLabel* state_;
  QMenu* layouts_;
};

}  // namespace keyhole::inspector
