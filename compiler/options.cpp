// SPDX-License-Identifier: Apache-2.0
#include "options.h"

namespace keyhole {
namespace {

using A = OptionArgument;
using U = OptionUse;

constexpr std::string_view kNotAFile = "does not compile into an object";
constexpr std::string_view kSeveral = "writes further files";
constexpr std::string_view kLinks = "links";

// nvcc 13.0 --help. Every form of the name is taken with one dash or two.
constexpr OptionRule kNvcc[] = {
    {"-c", "--compile", A::none, U::form},
    {"-dc", "--device-c", A::none, U::form},
    {"-dw", "--device-w", A::none, U::form},
    {"-ptx", "--ptx", A::none, U::form},
    {"-cubin", "--cubin", A::none, U::form},
    {"-fatbin", "--fatbin", A::none, U::form},
    {"-cuda", "--cuda", A::none, U::refuse, kSeveral},
    {"-optix-ir", "--optix-ir", A::none, U::refuse, kNotAFile},
    {"-ltoir", "--ltoir", A::none, U::refuse, kNotAFile},
    {"-E", "--preprocess", A::none, U::refuse, kNotAFile},
    {"-M", "--generate-dependencies", A::none, U::refuse, kNotAFile},
    {"-MM", "--generate-nonsystem-dependencies", A::none, U::refuse, kNotAFile},
    {"-MD", "--generate-dependencies-with-compile", A::none, U::dep_write},
    {"-MMD", "--generate-nonsystem-dependencies-with-compile", A::none, U::dep_write},
    {"-MF", "--dependency-output", A::separate, U::dep_file},
    {"-MP", "--generate-dependency-targets", A::none, U::dep_shape},
    {"-MT", "--dependency-target-name", A::separate, U::dep_shape},
    {"-dlink", "--device-link", A::none, U::refuse, kLinks},
    {"-link", "--link", A::none, U::refuse, kLinks},
    {"-lib", "--lib", A::none, U::refuse, kLinks},
    {"-run", "--run", A::none, U::refuse, kLinks},
    {"-r", "--relocatable-link", A::none, U::refuse, kLinks},
    {"-o", "--output-file", A::either, U::output},
    {"-odir", "--output-directory", A::separate, U::output_dir},
    {"-include", "--pre-include", A::separate},
    {"-objtemp", "--objdir-as-tempdir", A::none, U::refuse, kSeveral},
    {"-l", "--library", A::either, U::library},
    {"-L", "--library-path", A::either, U::library_dir},
    {"-D", "--define-macro", A::either},
    {"-U", "--undefine-macro", A::either},
    {"-I", "--include-path", A::either, U::include_dir},
    {"-isystem", "--system-include", A::separate, U::include_dir},
    {"-ccbin", "--compiler-bindir", A::separate, U::host},
    {"-allow-unsupported-compiler", "--allow-unsupported-compiler"},
    {"-cudart", "--cudart", A::separate},
    {"-cudadevrt", "--cudadevrt", A::separate},
    {"-ldir", "--libdevice-directory", A::separate, U::refuse, "takes the toolkit's library from another folder"},
    {"-target-dir", "--target-directory", A::separate, U::refuse, "takes the toolkit's files from another folder"},
    {"-pg", "--profile"},
    {"-g", "--debug", A::none, U::debug},
    {"-G", "--device-debug", A::none, U::debug},
    {"-lineinfo", "--generate-line-info", A::none, U::debug},
    {"-opt-info", "--optimization-info", A::separate},
    {"-O", "--optimize", A::either},
    {"-Ofc", "--Ofast-compile", A::separate},
    {"-dopt", "--dopt", A::separate},
    {"-dlto", "--dlink-time-opt"},
    {"-lto", "--lto"},
    {"-gen-opt-lto", "--gen-opt-lto"},
    {"-ftemplate-backtrace-limit", "--ftemplate-backtrace-limit", A::separate},
    {"-ftemplate-depth", "--ftemplate-depth", A::separate},
    {"-noeh", "--no-exceptions"},
    {"-shared", "--shared", A::none, U::refuse, kLinks},
    {"-x", "--x", A::separate, U::language},
    {"-std", "--std", A::separate},
    {"-nohdinitlist", "--no-host-device-initializer-list"},
    {"-nohdmoveforward", "--no-host-device-move-forward"},
    {"-expt-relaxed-constexpr", "--expt-relaxed-constexpr"},
    {"-extended-lambda", "--extended-lambda"},
    {"-expt-extended-lambda", "--expt-extended-lambda"},
    {"-m64", "--m64"},
    {"-m", "--machine", A::either},
    {"-Xcompiler", "--compiler-options", A::separate, U::host_flags},
    {"-Xlinker", "--linker-options", A::separate},
    {"-Xarchive", "--archive-options", A::separate},
    {"-Xptxas", "--ptxas-options", A::separate},
    {"-Xnvlink", "--nvlink-options", A::separate},
    {"-static-global-template-stub", "--static-global-template-stub", A::separate},
    {"-device-entity-has-hidden-visibility", "--device-entity-has-hidden-visibility", A::separate},
    {"-forward-unknown-to-host-compiler", "--forward-unknown-to-host-compiler", A::none, U::forward},
    {"-forward-unknown-opts", "--forward-unknown-opts", A::none, U::forward},
    {"-forward-unknown-to-host-linker", "--forward-unknown-to-host-linker"},
    {"-dryrun", "--dryrun", A::none, U::refuse, kNotAFile},
    {"-v", "--verbose", A::none, U::refuse, "prints names that differ in every run"},
    {"-t", "--threads", A::either},
    {"-split-compile", "--split-compile", A::separate},
    {"-keep", "--keep", A::none, U::refuse, kSeveral},
    {"-keep-dir", "--keep-dir", A::separate, U::refuse, kSeveral},
    {"-save-temps", "--save-temps", A::none, U::refuse, kSeveral},
    {"-clean", "--clean-targets", A::none, U::refuse, "removes files"},
    {"-time", "--time", A::separate, U::refuse, kSeveral},
    {"-nodlink", "--no-device-link"},
    {"-arch", "--gpu-architecture", A::separate, U::architecture},
    {"-code", "--gpu-code", A::separate, U::architecture},
    {"-gencode", "--generate-code", A::separate},
    {"-rdc", "--relocatable-device-code", A::separate},
    {"-e", "--entries", A::separate},
    {"-maxrregcount", "--maxrregcount", A::separate},
    {"-use_fast_math", "--use_fast_math"},
    {"-ftz", "--ftz", A::separate},
    {"-prec-div", "--prec-div", A::separate},
    {"-prec-sqrt", "--prec-sqrt", A::separate},
    {"-fmad", "--fmad", A::separate},
    {"-extra-device-vectorization", "--extra-device-vectorization"},
    {"-default-stream", "--default-stream", A::separate},
    {"-w", "--disable-warnings"},
    {"-keep-device-functions", "--keep-device-functions"},
    {"-src-in-ptx", "--source-in-ptx"},
    {"-restrict", "--restrict"},
    {"-Wreorder", "--Wreorder"},
    {"-Wdefault-stream-launch", "--Wdefault-stream-launch"},
    {"-Wmissing-launch-bounds", "--Wmissing-launch-bounds"},
    {"-Wext-lambda-captures-this", "--Wext-lambda-captures-this"},
    {"-Wno-deprecated-declarations", "--Wno-deprecated-declarations"},
    {"-Wno-deprecated-gpu-targets", "--Wno-deprecated-gpu-targets"},
    {"-Werror", "--Werror", A::separate},
    {"-res-usage", "--resource-usage"},
    {"-ewp", "--extensible-whole-program"},
    {"-no-compress", "--no-compress"},
    {"-err-no", "--display-error-number"},
    {"-no-err-no", "--no-display-error-number"},
    {"-diag-error", "--diag-error", A::separate},
    {"-diag-suppress", "--diag-suppress", A::separate},
    {"-diag-warn", "--diag-warn", A::separate},
    {"-brief-diag", "--brief-diagnostics", A::separate},
    {"-jtd", "--jump-table-density", A::separate},
    {"-reloc-ptx", "--relocatable-ptx"},
    {"-device-stack-protector", "--device-stack-protector", A::separate},
    {"-compress-mode", "--compress-mode", A::separate},
    {"-frandom-seed", "--frandom-seed", A::separate},
    {"-optf", "--options-file", A::separate, U::option_file},
    {"-h", "--help", A::none, U::refuse, kNotAFile},
    {"-V", "--version", A::none, U::refuse, kNotAFile},
};

// gcc 12 and clang 14. The first that fits holds: the exceptions stand before the families.
constexpr OptionRule kGcc[] = {
    {"-c", {}, A::none, U::form},
    {"-S", {}, A::none, U::form},
    {"-E", {}, A::none, U::refuse, kNotAFile},
    {"-M", {}, A::none, U::refuse, kNotAFile},
    {"-MM", {}, A::none, U::refuse, kNotAFile},
    {"-MG", {}, A::none, U::refuse, "takes headers that are not there yet"},
    {"-MD", {}, A::none, U::dep_write},
    {"-MMD", {}, A::none, U::dep_write},
    {"-MP", {}, A::none, U::dep_shape},
    {"-MF", {}, A::either, U::dep_file},
    {"-MT", {}, A::either, U::dep_shape},
    {"-MQ", {}, A::either, U::dep_shape},
    {"-o", {}, A::either, U::output},
    {"-include", {}, A::separate},
    {"-isystem", {}, A::either, U::include_dir},
    {"-iquote", {}, A::either, U::include_dir},
    {"-idirafter", {}, A::either, U::include_dir},
    {"-I", {}, A::either, U::include_dir},
    {"-D", {}, A::either},
    {"-U", {}, A::either},
    {"-L", {}, A::either, U::library_dir},
    {"-l", {}, A::either, U::library},
    {"-x", {}, A::either, U::language},
    {"--sysroot=", {}, A::attached, U::search},
    {"-stdlib=", {}, A::attached, U::search},
    {"-nostdinc++", {}, A::none, U::search},
    {"-nostdinc", {}, A::none, U::search},
    {"-mx32", {}, A::none, U::search},
    {"-m32", {}, A::none, U::search},
    {"-m64", {}, A::none, U::search},
    {"--target=", {}, A::attached, U::search},
    {"-target", {}, A::separate, U::search},
    {"--param", {}, A::separate},
    {"-march=native", {}, A::none, U::refuse, "asks for the processor of this machine"},
    {"-mtune=native", {}, A::none, U::refuse, "asks for the processor of this machine"},
    {"-mcpu=native", {}, A::none, U::refuse, "asks for the processor of this machine"},
    {"-fprofile", {}, A::attached, U::refuse, kSeveral},
    {"-fcs-profile", {}, A::attached, U::refuse, kSeveral},
    {"-fmemory-profile", {}, A::attached, U::refuse, "reads a profile"},
    {"-fauto-profile", {}, A::attached, U::refuse, "reads a profile"},
    {"-fbranch-probabilities", {}, A::none, U::refuse, "reads a profile"},
    {"-ftest-coverage", {}, A::none, U::refuse, kSeveral},
    {"--coverage", {}, A::none, U::refuse, kSeveral},
    {"-coverage", {}, A::none, U::refuse, kSeveral},
    {"-fplugin", {}, A::attached, U::refuse, "loads a plug-in"},
    {"-fpass-plugin", {}, A::attached, U::refuse, "loads a plug-in"},
    {"-fmodule", {}, A::attached, U::refuse, "reads and writes module files"},
    {"-fprebuilt-module", {}, A::attached, U::refuse, "reads module files"},
    {"-fdump-", {}, A::attached, U::refuse, kSeveral},
    {"-fcallgraph-info", {}, A::attached, U::refuse, kSeveral},
    {"-fstack-usage", {}, A::none, U::refuse, kSeveral},
    {"-fsave-optimization-record", {}, A::attached, U::refuse, kSeveral},
    {"-foptimization-record", {}, A::attached, U::refuse, kSeveral},
    {"-fproc-stat-report", {}, A::attached, U::refuse, "prints figures of the run"},
    {"-fdiagnostics-format=json-file", {}, A::attached, U::refuse, kSeveral},
    {"-fdiagnostics-format=sarif", {}, A::attached, U::refuse, kSeveral},
    {"-fdiagnostics-add-output", {}, A::attached, U::refuse, kSeveral},
    {"-fdiagnostics-set-output", {}, A::attached, U::refuse, kSeveral},
    {"-fthinlto-index=", {}, A::attached, U::refuse, "reads a file"},
    {"-fthin-link-bitcode=", {}, A::attached, U::refuse, kSeveral},
    {"-fembed-offload-object", {}, A::attached, U::refuse, "reads a file"},
    {"-fopenmp-targets", {}, A::attached, U::refuse, "compiles for other devices too"},
    {"-fxray-", {}, A::attached, U::refuse, "reads a list"},
    {"-frecord-gcc-switches", {}, A::none, U::refuse, "writes the command into the object"},
    {"-frecord-command-line", {}, A::none, U::refuse, "writes the command into the object"},
    {"-grecord-command-line", {}, A::none, U::refuse, "writes the command into the object"},
    {"-fopt-info", {}, A::attached, U::refuse, kSeveral},
    {"-ftime-", {}, A::attached, U::refuse, "prints times"},
    {"-fmem-report", {}, A::attached, U::refuse, "prints figures of the run"},
    {"-fsyntax-only", {}, A::none, U::refuse, kNotAFile},
    {"-fpch", {}, A::attached, U::refuse, "uses a precompiled header"},
    {"-fsanitize-blacklist", {}, A::attached, U::refuse, "reads a list"},
    {"-fsanitize-ignorelist", {}, A::attached, U::refuse, "reads a list"},
    {"-fsanitize-system", {}, A::attached, U::refuse, "reads a list"},
    {"-fsanitize-coverage-", {}, A::attached, U::refuse, "reads a list"},
    {"-fworking-directory", {}, A::none, U::debug},
    {"-fself-test", {}, A::attached, U::refuse, "reads a file"},
    {"-fcompare-debug", {}, A::attached, U::refuse, "compiles twice"},
    {"-flto", {}, A::attached},
    {"-f", {}, A::attached},
    {"-m", {}, A::attached},
    {"-gsplit-dwarf", {}, A::attached, U::refuse, kSeveral},
    {"-g0", {}, A::none},
    {"-g", {}, A::attached, U::debug},
    {"-O", {}, A::attached},
    {"-std=", {}, A::attached},
    {"-ansi", {}, A::none},
    {"-pedantic", {}, A::attached},
    {"-Wp,", {}, A::attached, U::refuse, "hands options to the preprocessor"},
    {"-Wa,", {}, A::attached, U::refuse, "hands options to the assembler"},
    {"-Wl,", {}, A::attached},
    {"-W", {}, A::attached},
    {"-w", {}, A::none},
    {"-pipe", {}, A::none},
    {"-pthread", {}, A::none},
    {"-no-canonical-prefixes", {}, A::none},
    {"-s", {}, A::none},
    {"-shared", {}, A::none, U::shared},
    {"-static", {}, A::none},
};

bool nvcc_fits(const OptionRule& rule, std::string_view argument, std::string_view spelled, std::string_view& attached,
               bool& has_attached) {
  if (spelled.empty() || !argument.starts_with(spelled)) return false;
  const auto rest = argument.substr(spelled.size());
  has_attached = false;
  if (rest.empty()) return true;
  if (rule.argument == OptionArgument::none) return false;
  if (rest.front() == '=') {
    attached = rest.substr(1);
    return has_attached = true;
  }
  if (rule.argument != OptionArgument::either || spelled.starts_with("--")) return false;
  attached = rest;
  return has_attached = true;
}

}  // namespace

const OptionRule* nvcc_rule(std::string_view argument, std::string_view& attached, bool& has_attached) {
  // Exact names, also with '=', go before prefixes: "-lineinfo" is no library "ineinfo".
  for (const bool prefixes : {false, true}) {
    for (const OptionRule& rule : kNvcc) {
      for (const std::string_view spelled : {rule.name, rule.long_name}) {
        const bool exact = argument == spelled ||
                           (argument.starts_with(spelled) && !spelled.empty() && argument.size() > spelled.size() &&
                            argument[spelled.size()] == '=' && rule.argument != OptionArgument::none);
        if ((exact || prefixes) && nvcc_fits(rule, argument, spelled, attached, has_attached)) return &rule;
      }
    }
  }
  return nullptr;
}

const OptionRule* gcc_rule(std::string_view argument, std::string_view& attached, bool& has_attached) {
  for (const OptionRule& rule : kGcc) {
    if (!argument.starts_with(rule.name)) continue;
    attached = argument.substr(rule.name.size());
    has_attached = !attached.empty();
    if (rule.argument == OptionArgument::attached) return has_attached = true, &rule;
    if (!has_attached || rule.argument == OptionArgument::either) return &rule;
  }
  return nullptr;
}

}  // namespace keyhole
