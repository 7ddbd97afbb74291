// Counts the words that a transcript has wrong.
#include "decoder/text/wer.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "decoder/text/text_normalizer.h"
#include "decoder/text/unicode.h"

namespace xdna {
namespace {

using decoder::Edit;
using decoder::WordErrors;

constexpr std::size_t kMaxFileBytes = std::size_t{64} << 20;

struct Options {
  std::string reference;
  std::string hypothesis;
  std::string list;
  std::string normalizer = "english";
  std::string costs = "levenshtein";
  bool align = false;
  bool json = false;
};

// A reference with its transcript: paths as given, and what to open.
struct Pair {
  std::string reference;
  std::string hypothesis;
  std::string reference_path;
  std::string hypothesis_path;
};

struct Result {
  Pair pair;
  std::vector<Edit> edits;
  WordErrors errors;
};

std::string ReadText(const std::string& path) {
  return WithContext(path, [&] {
    std::ifstream file;
    if (path != "-") {
      file.open(path, std::ios::binary);
      if (!file || std::filesystem::is_directory(path)) {
        Throw(ErrorCode::kNotFound, "can't open; expected a text file");
      }
    }
    std::istream& in = path == "-" ? std::cin : file;
    std::string text;
    for (char block[1 << 16]; in.read(block, sizeof block), in.gcount() > 0;) {
      text.append(block, static_cast<std::size_t>(in.gcount()));
      if (text.size() > kMaxFileBytes) {
        Throw(ErrorCode::kUnsupported, "more than {} bytes of text", kMaxFileBytes);
      }
    }
    if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // Windows marks UTF-8 so
    if (const std::size_t at = decoder::FindInvalid(text); at != std::string::npos) {
      Throw(ErrorCode::kCorrupt, "not UTF-8 at byte {}; expected text", at);
    }
    return text;
  });
}

// Lines of two paths, relative to the list's own folder, with a tab between them or white space.
std::vector<Pair> ReadList(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::vector<Pair> pairs;
  std::istringstream lines(ReadText(path));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const std::string_view trimmed = decoder::Strip(line);
    if (trimmed.empty() || trimmed.starts_with('#')) continue;
    const std::size_t tab = trimmed.find('\t');
    const std::vector<std::string> words =
        tab == std::string_view::npos
            ? decoder::SplitWords(trimmed)
            : std::vector<std::string>{std::string(decoder::Strip(trimmed.substr(0, tab))),
                                       std::string(decoder::Strip(trimmed.substr(tab)))};
    if (words.size() != 2) {
      Throw(ErrorCode::kCorrupt, "{}: line {} has {} fields; expected REFERENCE and HYPOTHESIS",
            path, number, words.size());
    }
    pairs.push_back(
        {words[0], words[1], (folder / words[0]).string(), (folder / words[1]).string()});
  }
  if (pairs.empty()) Throw(ErrorCode::kCorrupt, "{}: the list is empty", path);
  return pairs;
}

std::vector<Pair> Pairs(const Options& options) {
  const bool files = !options.reference.empty() && !options.hypothesis.empty();
  if (options.list.empty() ? !files : !options.reference.empty()) {
    Throw(ErrorCode::kInvalidArgument, "give either REF and HYP or --list=FILE");
  }
  if (!options.list.empty()) return ReadList(UserPath(options.list));
  return {{options.reference, options.hypothesis, UserPath(options.reference),
           UserPath(options.hypothesis)}};
}

std::vector<std::string> Words(const std::string& path, const std::string& normalizer) {
  const std::string text = ReadText(path);
  if (normalizer == "english") return decoder::SplitWords(decoder::NormalizeEnglish(text));
  if (normalizer == "basic") return decoder::SplitWords(decoder::NormalizeBasic(text));
  return decoder::SplitWords(text);
}

Result Compare(const Pair& pair, const Options& options) {
  const auto& costs = options.costs == "sclite" ? decoder::kScliteCosts : decoder::kLevenshtein;
  Result result{pair, {}, {}};
  result.edits = decoder::AlignWords(Words(pair.reference_path, options.normalizer),
                                     Words(pair.hypothesis_path, options.normalizer), costs);
  result.errors = decoder::CountErrors(result.edits);
  return result;
}

std::string Percent(const WordErrors& errors) {
  return errors.rate() ? fmt::format("{:.2f} %", 100 * *errors.rate()) : "-";
}

std::string Counts(const WordErrors& errors) {
  return fmt::format("errors {} of {} words: substitutions {}, deletions {}, insertions {}",
                     errors.errors(), errors.words, errors.substitutions, errors.deletions,
                     errors.insertions);
}

void PrintTable(const std::vector<Result>& results, const WordErrors& total,
                const Options& options) {
  for (const Result& result : results) {
    if (results.size() > 1) {
      fmt::print("{:>9}  {}  ({})\n", Percent(result.errors), result.pair.hypothesis,
                 Counts(result.errors));
    }
    if (options.align) fmt::print("{}\n", decoder::FormatAlignment(result.edits, 100));
  }
  fmt::print("WER {}: {} (normalizer {}, costs {})\n", Percent(total), Counts(total),
             options.normalizer, options.costs);
}

nlohmann::ordered_json ErrorsJson(const WordErrors& errors) {
  nlohmann::ordered_json json;
  json["wer"] = errors.rate() ? nlohmann::ordered_json(*errors.rate()) : nullptr;
  json["words"] = errors.words;
  json["substitutions"] = errors.substitutions;
  json["deletions"] = errors.deletions;
  json["insertions"] = errors.insertions;
  return json;
}

void PrintJson(const std::vector<Result>& results, const WordErrors& total,
               const Options& options) {
  nlohmann::ordered_json json = ErrorsJson(total);
  json["normalizer"] = options.normalizer;
  json["costs"] = options.costs;
  json["texts"] = nlohmann::ordered_json::array();
  for (const Result& result : results) {
    nlohmann::ordered_json text = {{"reference", result.pair.reference},
                                   {"hypothesis", result.pair.hypothesis}};
    text.update(ErrorsJson(result.errors));
    json["texts"].push_back(std::move(text));
  }
  fmt::print("{}\n", json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

int Run(const Options& options) {
  std::vector<Result> results;
  WordErrors total;
  for (const Pair& pair : Pairs(options)) {
    results.push_back(Compare(pair, options));
    total += results.back().errors;
  }
  if (total.words == 0) {
    Throw(ErrorCode::kInvalidArgument,
          "the reference has no words (normalizer {}), so there is no error rate",
          options.normalizer);
  }
  if (options.json) {
    PrintJson(results, total, options);
  } else {
    PrintTable(results, total, options);
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna

int main(int argc, char** argv) {
  xdna::Options options;
  CLI::App app(
      "Counts the words that a transcript has wrong: substitutions, deletions and insertions over\n"
      "the words of the reference. Both texts are UTF-8 files; - is standard input.");
  app.add_option("reference", options.reference, "What was said");
  app.add_option("hypothesis", options.hypothesis, "What was recognised");
  app.add_option("--list", options.list,
                 "File with a line REFERENCE HYPOTHESIS for each of many texts (a tab between "
                 "paths with spaces); paths are relative to that file");
  app.add_option("--normalizer", options.normalizer,
                 "english: Whisper's (numbers, contractions, spelling); basic: its other one, for "
                 "any language; none: words as they stand")
      ->check(CLI::IsMember({"english", "basic", "none"}))
      ->capture_default_str();
  app.add_option("--costs", options.costs,
                 "levenshtein: the fewest errors; sclite: NIST's alignment (substitution 4, "
                 "deletion and insertion 3)")
      ->check(CLI::IsMember({"levenshtein", "sclite"}))
      ->capture_default_str();
  app.add_flag("--align", options.align, "Show which words are meant");
  app.add_flag("--json", options.json, "Print one line of JSON")->excludes("--align");
  app.footer(
      "Example:\n  bazel run //tools:wer -- said.txt heard.txt --align\n"
      "Exit codes: 0 counted (whatever the rate), 2 bad input, 3 anything else.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    fmt::print(stderr, "wer: {}; --help lists the options\n", error.what());
    return xdna::kExitBadInput;
  }
  return xdna::RunProgram("wer", [&options] { return xdna::Run(options); });
}
