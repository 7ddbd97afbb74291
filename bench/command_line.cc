#include "bench/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bench/suggest.h"

namespace xdna::bench {
namespace {

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

bool ParseOptions(CLI::App& app, int argc, const char* const* argv) {
  app.allow_extras();  // to name them ourselves
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    fmt::print("{}", app.help());
    return false;
  } catch (const CLI::ParseError& error) {
    Throw(ErrorCode::kInvalidArgument, "{}", error.what());
  }
  for (const std::string& extra : app.remaining()) {
    const std::string name = extra.substr(0, extra.find('='));
    Throw(ErrorCode::kInvalidArgument, "unknown option {};{} (see --help)", Quoted(name),
          Suggest(name, OptionNames(app)));
  }
  return true;
}

bool AsksForHelp(int argc, const char* const* argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* argument) { return std::string_view(argument) == "--help"; });
}

}  // namespace xdna::bench
