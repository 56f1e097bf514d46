// SPDX-License-Identifier: Apache-2.0
#include "inspector/ui/main_window.h"

#include <QAbstractItemView>
#include <QActionGroup>
#include <QApplication>
#include <QDateTime>
#include <QDir>
#include <QDragEnterEvent>
#include <QFileDialog>
#include <QFileInfo>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QInputDialog>
#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QMenuBar>
#include <QMimeData>
#include <QPushButton>
#include <QSettings>
#include <QSplitter>
#include <QStackedWidget>
#include <QStatusBar>
#include <QTabWidget>
#include <QTableView>
#include <QUrl>
#include <QVBoxLayout>

#include "inspector/core/format.h"
#include "inspector/models/paged_model.h"
#include "inspector/ui/bars.h"
#include "inspector/ui/compare_page.h"
#include "inspector/ui/compile_page.h"
#include "inspector/ui/entries_page.h"
#include "inspector/ui/history_page.h"
#include "inspector/ui/key_page.h"
#include "inspector/ui/overview_page.h"
#include "inspector/ui/views.h"
#include "inspector/ui/why_page.h"

namespace keyhole::inspector {
namespace {

constexpr int kRecent = 12;
constexpr PageId kBrowsePages[] = {PageId::overview, PageId::history, PageId::entries,
                                   PageId::compiles};  // in the order of the tabs

// "~/work/store" for what lies in the user's home.
QString shown_path(const QString& path) {
  const QString home = QDir::homePath();
  return path.startsWith(home + u'/') ? u'~' + path.mid(home.size()) : QDir::toNativeSeparators(path);
}

QPushButton* make_segment(const QString& text, const QString& tip) {
  auto* button = new QPushButton(text);
  button->setProperty("segment", true);
  button->setCheckable(true);
  button->setFocusPolicy(Qt::TabFocus);
  button->setToolTip(tip);
  return button;
}

}  // namespace

MainWindow::MainWindow(QWidget* parent)
    : QMainWindow(parent),
      stack_(new QStackedWidget),
      filter_(new FilterBar(workspace_.lookup_filter())),
      messages_(new MessagePanel),
      import_(new ImportPanel(workspace_)),
      state_(make_label({}, "muted")) {
  setWindowTitle(QStringLiteral("Keyhole"));
  setWindowIcon(program_icon());
  setAcceptDrops(true);
  resize(1280, 820);

  auto* centre = new QWidget;
  auto* layout = new QVBoxLayout(centre);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  top_ = make_top();
  layout->addWidget(top_);
  layout->addWidget(messages_);
  layout->addWidget(import_);
  stack_->addWidget(make_start());
  stack_->addWidget(make_browse());
  stack_->addWidget(make_diagnose());
  stack_->addWidget(new ComparePage(workspace_));
  layout->addWidget(stack_, 1);
  setCentralWidget(centre);
  jump_ = new JumpBox(workspace_, centre);
  state_->setContentsMargins(8, 0, 0, 0);
  statusBar()->addWidget(state_, 1);
  statusBar()->setSizeGripEnabled(false);
  make_menus();

  connect(&workspace_, &Workspace::place_changed, this, &MainWindow::show_place);
  connect(&workspace_, &Workspace::failed, messages_, &MessagePanel::show_error);
  connect(&workspace_, &Workspace::said, messages_, &MessagePanel::show_notice);
  connect(&workspace_, &Workspace::store_changed, this, [this] {
    show_recent();
    if (workspace_.session()) restore_layout(QStringLiteral("last"));
    const QString name = workspace_.store_name();
    setWindowTitle(name.isEmpty() ? QStringLiteral("Keyhole")
                                  : QStringLiteral("Keyhole – %1").arg(QDir(name).dirName()));
    state_->setText(shown_path(name));
  });
  const auto as_of = [this](const QString& note) {
    state_->setText(
        QStringLiteral("%1  ·  as of %2%3")
            .arg(shown_path(workspace_.store_name()), QTime::currentTime().toString(QStringLiteral("HH:mm:ss")), note));
  };
  connect(&workspace_, &Workspace::opened, this, [as_of] { as_of({}); });
  connect(&workspace_, &Workspace::rows_changed, this, [as_of] { as_of(QStringLiteral("  ·  recording")); });
  connect(import_, &ImportPanel::finished, this, [this](const QString& store) {
    if (store != workspace_.store_name() || !workspace_.session())
      show_store(store);  // what the import could not read stays said
    else
      Q_EMIT workspace_.rows_changed();
  });
  show_recent();
  show_place();
  // Style sheets are worked out for each widget when it is first shown: before there is a store to wait for.
  ensurePolished();
  for (QWidget* widget : findChildren<QWidget*>()) widget->ensurePolished();
}

MainWindow::~MainWindow() = default;

QWidget* MainWindow::make_top() {
  auto* bar = new QFrame;
  bar->setObjectName(QStringLiteral("bar"));
  auto* row = new QHBoxLayout(bar);
  row->setContentsMargins(8, 6, 10, 6);
  row->setSpacing(6);
  const auto icon_button = [&](const QString& icon, const QString& name) {
    auto* button = new QPushButton;
    button->setProperty("flat", true);
    button->setIcon(action_icon(icon, *this));
    button->setAccessibleName(name);
    button->setFixedWidth(34);
    row->addWidget(button, 0, Qt::AlignTop);
    return button;
  };
  back_ = icon_button(QStringLiteral("back"), QStringLiteral("Back"));
  back_->setToolTip(QStringLiteral("Back (Alt+Left)"));
  forward_ = icon_button(QStringLiteral("forward"), QStringLiteral("Forward"));
  forward_->setToolTip(QStringLiteral("Forward (Alt+Right)"));
  browse_button_ = make_segment(QStringLiteral("Browse"), QStringLiteral("Overview, history, entries (Ctrl+1)"));
  diagnose_button_ = make_segment(QStringLiteral("Diagnose"), QStringLiteral("Why one lookup went as it did (Ctrl+2)"));
  compare_button_ = make_segment(QStringLiteral("Compare"), QStringLiteral("Two runs side by side (Ctrl+3)"));
  for (QPushButton* button : {browse_button_, diagnose_button_, compare_button_})
    row->addWidget(button, 0, Qt::AlignTop);
  row->addSpacing(8);
  auto* room = new QWidget;  // stays where a page has no filter
  auto* room_layout = new QVBoxLayout(room);
  room_layout->setContentsMargins(0, 0, 0, 0);
  room_layout->addWidget(filter_);
  row->addWidget(room, 1, Qt::AlignTop);
  auto* jump = new QPushButton(QStringLiteral("Jump to…   Ctrl+K"));
  jump->setIcon(action_icon(QStringLiteral("search"), *this));
  jump->setAccessibleName(QStringLiteral("Jump to"));
  row->addWidget(jump, 0, Qt::AlignTop);
  connect(back_, &QPushButton::clicked, &workspace_, &Workspace::back);
  connect(forward_, &QPushButton::clicked, &workspace_, &Workspace::forward);
  connect(browse_button_, &QPushButton::clicked, this,
          [this] { workspace_.go(kBrowsePages[browse_->currentIndex()]); });
  connect(diagnose_button_, &QPushButton::clicked, this, [this] { workspace_.go(PageId::diagnose); });
  connect(compare_button_, &QPushButton::clicked, this, [this] { workspace_.go(PageId::compare); });
  connect(jump, &QPushButton::clicked, this, [this] { jump_->open(); });
  return bar;
}

QWidget* MainWindow::make_start() {
  auto* start = new QWidget;
  auto* layout = new QVBoxLayout(start);
  layout->setContentsMargins(40, 40, 40, 40);
  auto* column = new QWidget;
  column->setMaximumWidth(640);
  auto* inner = new QVBoxLayout(column);
  auto* icon = new QLabel;
  icon->setPixmap(program_icon().pixmap(48, 48));
  icon->setAccessibleName(QStringLiteral("Keyhole"));
  inner->addStretch(1);
  inner->addWidget(icon);
  inner->addWidget(make_label(QStringLiteral("Why did this miss?"), "title"));
  auto* text = make_label(
      QStringLiteral("Open a store, or drop a store, a trace folder, a cache folder or a mega-cache file here. "
                     "A new store is made by  keyhole record -- python train.py"),
      "muted");
  text->setWordWrap(true);
  inner->addWidget(text);
  inner->addSpacing(10);
  auto* row = new QHBoxLayout;
  auto* open = new QPushButton(QStringLiteral("Open a store…"));
  open->setProperty("primary", true);
  row->addWidget(open);
  auto* import = new QPushButton(QStringLiteral("Import…"));
  row->addWidget(import);
  row->addStretch();
  inner->addLayout(row);
  inner->addSpacing(14);
  inner->addWidget(make_label(QStringLiteral("Recent stores"), "heading"));
  recent_ = new QListWidget;
  recent_->setAccessibleName(QStringLiteral("Recent stores"));
  recent_->setMinimumHeight(90);
  inner->addWidget(recent_, 3);
  inner->addStretch(1);
  auto* centred = new QHBoxLayout;
  centred->addStretch(1);
  centred->addWidget(column, 4);
  centred->addStretch(1);
  layout->addLayout(centred);
  connect(open, &QPushButton::clicked, this, &MainWindow::choose_store);
  connect(import, &QPushButton::clicked, this, [this] { choose_import(true); });
  connect(recent_, &QListWidget::itemActivated, this, [this](const QListWidgetItem* item) {
    if (const QString folder = item->data(Qt::UserRole).toString(); !folder.isEmpty()) open_store(folder);
  });
  return start;
}

QWidget* MainWindow::make_browse() {
  browse_ = new QTabWidget;
  browse_->setDocumentMode(true);
  browse_->setAccessibleName(QStringLiteral("Browse"));
  browse_->addTab(new OverviewPage(workspace_), QStringLiteral("Overview"));
  browse_->addTab(new HistoryPage(workspace_), QStringLiteral("History"));
  browse_->addTab(new EntriesPage(workspace_), QStringLiteral("Entries"));
  browse_->addTab(new CompilePage(workspace_), QStringLiteral("Compiles"));
  connect(browse_, &QTabWidget::currentChanged, this, [this](int tab) {
    if (stack_->currentIndex() == 1) workspace_.go(kBrowsePages[tab]);
  });
  return browse_;
}

QWidget* MainWindow::make_diagnose() {
  diagnose_ = new QSplitter(Qt::Vertical);
  diagnose_top_ = new QSplitter(Qt::Horizontal);
  auto* left = new LookupTable(workspace_, true);
  explain_tabs_ = new QTabWidget;
  explain_tabs_->setDocumentMode(true);
  explain_tabs_->setAccessibleName(QStringLiteral("Explanation"));
  explain_tabs_->addTab(new WhyPage(workspace_), QStringLiteral("Why"));
  explain_tabs_->addTab(new KeyPage(workspace_), QStringLiteral("Key"));
  diagnose_top_->addWidget(left);
  diagnose_top_->addWidget(explain_tabs_);
  diagnose_top_->setSizes({460, 820});
  diagnose_top_->setChildrenCollapsible(false);
  diagnose_->addWidget(diagnose_top_);
  diagnose_->addWidget(new TimelinePanel(workspace_));
  diagnose_->setSizes({600, 160});
  return diagnose_;
}

void MainWindow::make_menus() {
  auto* file = menuBar()->addMenu(QStringLiteral("&File"));
  file->addAction(QStringLiteral("&Open a store…"), QKeySequence::Open, this, &MainWindow::choose_store);
  file->addAction(QStringLiteral("&Import files…"), QKeySequence(QStringLiteral("Ctrl+I")), this,
                  [this] { choose_import(false); });
  file->addAction(QStringLiteral("Import a &folder…"), this, [this] { choose_import(true); });
  file->addAction(QStringLiteral("&Close the store"), QKeySequence::Close, &workspace_, &Workspace::close);
  file->addSeparator();
  file->addAction(QStringLiteral("&Quit"), QKeySequence::Quit, qApp, &QApplication::quit, Qt::QueuedConnection);

  auto* edit = menuBar()->addMenu(QStringLiteral("&Edit"));
  const auto in_view = [this](auto action) {
    if (auto* view = qobject_cast<QAbstractItemView*>(focusWidget()))
      action(*view);
    else
      workspace_.say(QStringLiteral("Click into a table first: that is what is copied or exported."));
  };
  edit->addAction(QStringLiteral("&Copy rows"), this,
                  [this, in_view] { in_view([this](QAbstractItemView& v) { copy_rows(v, false, &workspace_); }); });
  edit->addAction(QStringLiteral("Copy rows with &headers"), QKeySequence(QStringLiteral("Ctrl+Shift+C")), this,
                  [this, in_view] { in_view([this](QAbstractItemView& v) { copy_rows(v, true, &workspace_); }); });
  edit->addAction(QStringLiteral("&Export the table…"), QKeySequence(QStringLiteral("Ctrl+E")), this,
                  [this, in_view] { in_view([this](QAbstractItemView& v) { export_view(v, workspace_); }); });
  edit->addSeparator();
  const auto filters = [this]() -> FilterStack& {
    return workspace_.place().page == PageId::entries ? workspace_.entry_filter() : workspace_.lookup_filter();
  };
  edit->addAction(QStringLiteral("&Undo the filter"), this, [filters] { filters().undo(); });
  edit->addAction(QStringLiteral("&Redo the filter"), this, [filters] { filters().redo(); });

  auto* view = menuBar()->addMenu(QStringLiteral("&View"));
  view->addAction(QStringLiteral("&Browse"), QKeySequence(QStringLiteral("Ctrl+1")), this,
                  [this] { browse_button_->click(); });
  view->addAction(QStringLiteral("&Diagnose"), QKeySequence(QStringLiteral("Ctrl+2")), this,
                  [this] { diagnose_button_->click(); });
  view->addAction(QStringLiteral("&Compare"), QKeySequence(QStringLiteral("Ctrl+3")), this,
                  [this] { compare_button_->click(); });
  view->addAction(QStringLiteral("&Jump to…"), QKeySequence(QStringLiteral("Ctrl+K")), this, [this] { jump_->open(); });
  view->addAction(QStringLiteral("&Filter"), QKeySequence::Find, this, [this] {
    for (FilterBar* bar : findChildren<FilterBar*>())
      if (bar->isVisible()) bar->edit()->setFocus();
  });
  view->addAction(QStringLiteral("B&ack"), QKeySequence(QStringLiteral("Alt+Left")), &workspace_, &Workspace::back);
  view->addAction(QStringLiteral("F&orward"), QKeySequence(QStringLiteral("Alt+Right")), &workspace_,
                  &Workspace::forward);
  view->addSeparator();
  layouts_ = view->addMenu(QStringLiteral("&Layouts"));
  layouts_->setAccessibleName(QStringLiteral("Layouts"));
  connect(layouts_, &QMenu::aboutToShow, this, [this] {
    layouts_->clear();
    QSettings settings;
    settings.beginGroup(settings_group());
    for (const QString& name : settings.childGroups())
      if (name != QLatin1String("last")) layouts_->addAction(name, this, [this, name] { restore_layout(name); });
    if (!layouts_->isEmpty()) {
      auto* remove = layouts_->addMenu(QStringLiteral("Remove"));
      remove->setAccessibleName(QStringLiteral("Remove a layout"));
      for (const QString& name : settings.childGroups())
        if (name != QLatin1String("last"))
          remove->addAction(name, this, [this, name] { QSettings().remove(settings_group() + u'/' + name); });
      layouts_->addSeparator();
    }
    layouts_->addAction(QStringLiteral("Save this layout…"), this, [this] {
      auto* dialog = new QInputDialog(this);
      dialog->setAttribute(Qt::WA_DeleteOnClose);
      dialog->setWindowTitle(QStringLiteral("Save this layout"));
      dialog->setLabelText(QStringLiteral("Name"));
      dialog->setModal(false);
      connect(dialog, &QInputDialog::textValueSelected, this, [this](const QString& name) {
        if (!name.trimmed().isEmpty()) save_layout(name.trimmed());
      });
      dialog->show();
    });
  });
  auto* scheme = view->addMenu(QStringLiteral("&Colours"));
  scheme->setAccessibleName(QStringLiteral("Colours"));
  auto* group = new QActionGroup(this);
  const std::pair<Scheme, QString> schemes[] = {{Scheme::system, QStringLiteral("As the desktop")},
                                                {Scheme::light, QStringLiteral("Light")},
                                                {Scheme::dark, QStringLiteral("Dark")}};
  for (const auto& [which, name] : schemes) {
    auto* action = scheme->addAction(name, this, [this, w = which] { set_scheme(w); });
    action->setCheckable(true);
    action->setChecked(QSettings().value(QStringLiteral("scheme"), 0).toInt() == int(which));
    group->addAction(action);
  }
}

void MainWindow::set_scheme(Scheme scheme) {
  QSettings().setValue(QStringLiteral("scheme"), int(scheme));
  apply_theme(*qApp, scheme);
}

void MainWindow::show_place() {
  const Place& place = workspace_.place();
  const bool open = workspace_.session() != nullptr;
  const PageId page = open ? place.page : PageId::start;
  stack_->setCurrentIndex(page == PageId::start ? 0 : page == PageId::diagnose ? 2 : page == PageId::compare ? 3 : 1);
  const QSignalBlocker block(browse_);
  for (int tab = 0; tab < browse_->count(); ++tab)
    if (kBrowsePages[tab] == page) browse_->setCurrentIndex(tab);
  if (page == PageId::diagnose && !place.tab.isEmpty())
    explain_tabs_->setCurrentIndex(place.tab == QLatin1String("key") ? 1 : 0);
  browse_button_->setChecked(stack_->currentIndex() == 1);
  diagnose_button_->setChecked(page == PageId::diagnose);
  compare_button_->setChecked(page == PageId::compare);
  for (QPushButton* button : {browse_button_, diagnose_button_, compare_button_}) button->setEnabled(open);
  filter_->setEnabled(open);
  filter_->setVisible(page == PageId::overview || page == PageId::history || page == PageId::diagnose);
  back_->setEnabled(workspace_.can_go_back());
  forward_->setEnabled(workspace_.can_go_forward());
  // Keys go to the page, unless they are being typed somewhere.
  QWidget* focus = focusWidget();
  if (!focus || !focus->isVisible() || qobject_cast<QPushButton*>(focus))
    for (auto* view : stack_->currentWidget()->findChildren<QAbstractItemView*>())
      if (view->isVisible()) {
        view->setFocus();
        break;
      }
}

void MainWindow::show_recent() {
  recent_->clear();
  for (const QString& folder : QSettings().value(QStringLiteral("recent")).toStringList()) {
    auto* item = new QListWidgetItem(QDir(folder).dirName() + QStringLiteral("    ") + shown_path(folder));
    item->setData(Qt::UserRole, folder);
    recent_->addItem(item);
  }
  if (recent_->count() > 0) return;
  auto* none = new QListWidgetItem(QStringLiteral("None yet"));
  none->setFlags(Qt::NoItemFlags);
  recent_->addItem(none);
}

void MainWindow::choose_store() {
  auto* dialog = new QFileDialog(this, QStringLiteral("Open a store"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(QFileDialog::Directory);
  dialog->setOption(QFileDialog::ShowDirsOnly);
  dialog->setWindowModality(Qt::NonModal);
  connect(dialog, &QFileDialog::fileSelected, this, &MainWindow::open_store);
  dialog->show();
}

void MainWindow::open_store(const QString& folder) {
  messages_->hide();
  show_store(folder);
}

void MainWindow::show_store(const QString& folder) {
  const QString path = QDir(folder).absolutePath();
  open([path = path.toStdString()] { return inspector::open_store(path); }, path);
  connect(workspace_.session(), &Session::opened, this, [path] {
    QSettings settings;
    QStringList recent = settings.value(QStringLiteral("recent")).toStringList();
    recent.removeAll(path);
    recent.prepend(path);
    settings.setValue(QStringLiteral("recent"), recent.mid(0, kRecent));
  });
  connect(workspace_.session(), &Session::failed, this, [this, path](const Error&) {
    QSettings settings;
    QStringList recent = settings.value(QStringLiteral("recent")).toStringList();
    recent.removeAll(path);
    settings.setValue(QStringLiteral("recent"), recent);
    workspace_.close_failed();
  });
}

bool MainWindow::is_store(const QString& folder) {
  // A folder that only compiles wrote to has no history until somebody opens it.
  return QFileInfo::exists(folder + QStringLiteral("/history.db")) ||
         QFileInfo::exists(folder + QStringLiteral("/cache.db"));
}

void MainWindow::open_paths(const QStringList& paths) {
  QString store = workspace_.session() ? workspace_.store_name() : QString();
  QStringList sources;
  for (QString path : paths) {
    if (path.endsWith(QLatin1String("/history.db"))) path.chop(int(qstrlen("/history.db")));
    if (is_store(path) && store != QDir(path).absolutePath())
      open_store(path), store = QDir(path).absolutePath();
    else if (!is_store(path))
      sources << path;
  }
  // A path that names nothing was meant as a store: what opening it says is what helps.
  if (sources.size() == 1 && paths.size() == 1 && !QFileInfo::exists(sources.first()))
    return open_store(sources.first());
  if (!sources.isEmpty())
    import_->start(store.isEmpty() ? QDir(default_store_folder()).absolutePath() : store, sources);
}

void MainWindow::choose_import(bool folder) {
  auto* dialog = new QFileDialog(this, folder ? QStringLiteral("Import a folder") : QStringLiteral("Import files"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(folder ? QFileDialog::Directory : QFileDialog::ExistingFiles);
  dialog->setWindowModality(Qt::NonModal);
  connect(dialog, &QFileDialog::filesSelected, this, &MainWindow::open_paths);
  dialog->show();
}

void MainWindow::open(Session::Opener opener, const QString& name) {
  workspace_.open(std::move(opener), name);
}

QString MainWindow::settings_group() const {
  return QStringLiteral("layouts/") + QString::fromLatin1(workspace_.store_name().toUtf8().toPercentEncoding());
}

void MainWindow::save_layout(const QString& name) {
  if (!workspace_.session()) return;
  QSettings settings;
  settings.beginGroup(settings_group() + u'/' + name);
  settings.setValue(QStringLiteral("page"), int(workspace_.place().page));
  for (const auto& [part, splitter] : splitters()) settings.setValue(part, splitter->saveState());
  for (const auto& [part, header] : headers()) settings.setValue(part, header->saveState());
  if (name == QLatin1String("last")) return;
  settings.setValue(QStringLiteral("filter"), workspace_.good_filter().source);
  settings.setValue(QStringLiteral("entry_filter"), workspace_.entry_filter().good().source);
}

void MainWindow::restore_layout(const QString& name) {
  QSettings settings;
  settings.beginGroup(settings_group() + u'/' + name);
  if (!settings.contains(QStringLiteral("page"))) return;
  for (const auto& [part, splitter] : splitters())
    if (settings.contains(part)) splitter->restoreState(settings.value(part).toByteArray());
  for (const auto& [part, header] : headers())
    if (settings.contains(part)) header->restoreState(settings.value(part).toByteArray());
  if (name == QLatin1String("last")) return;
  Place place = workspace_.place();
  place.page = PageId(settings.value(QStringLiteral("page")).toInt());
  place.filter = settings.value(QStringLiteral("filter")).toString();
  workspace_.entry_filter().set(settings.value(QStringLiteral("entry_filter")).toString());
  workspace_.go(place);
}

// What a layout is made of, under names that last: a splitter's is that of its page and its place there.
std::vector<std::pair<QString, QSplitter*>> MainWindow::splitters() const {
  std::vector<std::pair<QString, QSplitter*>> parts;
  for (int page = 0; page < stack_->count(); ++page) {
    auto splitters = stack_->widget(page)->findChildren<QSplitter*>();
    if (auto* own = qobject_cast<QSplitter*>(stack_->widget(page))) splitters.prepend(own);
    for (qsizetype i = 0; i < splitters.size(); ++i)
      parts.emplace_back(QStringLiteral("splitter_%1_%2").arg(page).arg(i), splitters[i]);
  }
  return parts;
}

// The columns of the tables that one arranges: those of lookups and of entries.
std::vector<std::pair<QString, QHeaderView*>> MainWindow::headers() const {
  std::vector<std::pair<QString, QHeaderView*>> parts;
  for (int page = 0; page < stack_->count(); ++page)
    for (QTableView* table : stack_->widget(page)->findChildren<QTableView*>())
      if (qobject_cast<PagedModelBase*>(table->model()))
        parts.emplace_back(QStringLiteral("columns_%1_%2").arg(page).arg(table->accessibleName()),
                           table->horizontalHeader());
  return parts;
}

void MainWindow::closeEvent(QCloseEvent* event) {
  save_layout(QStringLiteral("last"));
  QMainWindow::closeEvent(event);
}

void MainWindow::dragEnterEvent(QDragEnterEvent* event) {
  if (event->mimeData()->hasUrls()) event->acceptProposedAction();
}

void MainWindow::dropEvent(QDropEvent* event) {
  QStringList paths;
  for (const QUrl& url : event->mimeData()->urls())
    if (url.isLocalFile()) paths << url.toLocalFile();
  open_paths(paths);
  event->acceptProposedAction();
}

}  // namespace keyhole::inspector
