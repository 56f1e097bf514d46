// SPDX-License-Identifier: Apache-2.0
#include <QApplication>
#include <QCommandLineParser>
#include <QFileInfo>
#include <QSettings>
#include <QTextStream>

#include "inspector/ui/main_window.h"
#include "inspector/ui/screenshots.h"

int main(int argc, char** argv) {
  QApplication app(argc, argv);
  QApplication::setOrganizationName(QStringLiteral("keyhole"));
  QApplication::setApplicationName(QStringLiteral("keyhole-inspector"));
  QApplication::setApplicationDisplayName(QStringLiteral("Keyhole"));
  QApplication::setApplicationVersion(QStringLiteral(KEYHOLE_VERSION));
  QApplication::setDesktopFileName(QStringLiteral("org.keyhole.Inspector"));

  QCommandLineParser parser;
  parser.setApplicationDescription(QStringLiteral(
      "Shows what compiler caches did, and why lookups missed.\n\n"
      "STORE opens a store. Any other PATH (a trace, a cache folder, a mega-cache file, a debug log) is taken into\n"
      "the store given, or else into the default store, as `keyhole import` does."));
  parser.addHelpOption();
  parser.addVersionOption();
  const QCommandLineOption screenshots(QStringLiteral("screenshot"),
                                       QStringLiteral("Render every page, light and dark, into FOLDER and end."),
                                       QStringLiteral("FOLDER"));
  parser.addOption(screenshots);
  parser.addPositionalArgument(QStringLiteral("STORE|PATH"), QStringLiteral("a store, or files to take in"),
                               QStringLiteral("[STORE|PATH…]"));
  parser.process(app);

  using namespace keyhole::inspector;
  apply_theme(app, Scheme(QSettings().value(QStringLiteral("scheme"), 0).toInt()));
  const QStringList paths = parser.positionalArguments();
  if (parser.isSet(screenshots)) {
    if (paths.size() != 1 || !MainWindow::is_store(paths.first())) {
      QTextStream(stderr) << "--screenshot needs the folder of one store\n";
      return 2;
    }
    return make_screenshots(paths.first(), parser.value(screenshots));
  }
  MainWindow window;
  window.open_paths(paths);
  window.show();
  return QApplication::exec();
}
