#include "tools/transcribe/results.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "decoder/text/unicode.h"
#include "ops/contract.h"

namespace xdna::transcribe {
namespace {

using Json = nlohmann::ordered_json;

namespace fs = std::filesystem;

void CheckFolder(const fs::path& folder) {
  std::error_code error;
  const fs::path path = folder.empty() ? fs::path(".") : folder;
  fs::create_directories(path, error);
  if (error)
    Throw(ErrorCode::kUnavailable, "{}: can't be made: {}", path.string(), error.message());
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    Throw(ErrorCode::kUnavailable, "{}: can't be written to: {}", path.string(),
          std::strerror(errno));
  }
}

std::string Stem(const std::string& audio) {
  return audio == "-" ? "stdin" : fs::path(audio).stem().string();
}

Json TimingJson(const Result& result, const Circumstances& circumstances) {
  const decoder::TranscribeTimes& times = result.transcription.times;
  Json measured = {{"model", circumstances.model_seconds},
                   {"load", result.load},
                   {"mel", result.mel},
                   {"encode", times.encode},
                   {"decode", times.decode},
                   {"words", times.words},
                   {"total", result.total}};
  Json modelled = Json::object();
  if (times.modelled_encode) {
    measured.erase("encode");
    modelled["encode"] = *times.modelled_encode;
  }
  return {
      {"unit", "s"}, {"windows", times.windows}, {"measured", measured}, {"modelled", modelled}};
}

Json VerdictJson(const DeviceVerdict& verdict) {
  return {{"verdict", golden::StatusName(verdict.worst.status)},
          {"reason", verdict.worst.reason},
          {"rel_l2", verdict.worst.rel_l2},
          {"windows", verdict.windows}};
}

Json FullJson(const Options& options, const Result& result, const Circumstances& circumstances) {
  const decoder::Transcription& done = result.transcription;
  Json json = decoder::TranscriptJson(done.transcript);
  json["language_probability"] = done.language_probability;
  json["audio"] = {{"path", result.audio},
                   {"seconds", result.seconds},
                   {"sample_rate", result.sample_rate},
                   {"channels", result.channels}};
  json["complete"] = !done.stopped;
  if (done.stopped) json["until"] = done.until;
  json["model"] = {{"name", circumstances.model_name}, {"sha256", circumstances.model_sha256}};
  json["device"] = options.device;
  json["precision"] = ops::PrecisionName(ChosenPrecision(options));
  if (!options.schedule.empty()) json["schedule"] = options.schedule;
  if (!options.preset.empty()) json["preset"] = options.preset;
  json["timing"] = TimingJson(result, circumstances);
  if (options.verify) json["encoder"] = VerdictJson(result.verdict);
  return json;
}

}  // namespace

Outputs::Outputs(const Options& options)
    : options_(options), formats_(decoder::OutputFormatsFromName(options.format)) {
  if (options.out.empty()) {
    if (formats_.size() > 1) {
      Throw(ErrorCode::kInvalidArgument,
            "--format={}: several formats need --out=FOLDER/, standard output takes one",
            options.format);
    }
    return;
  }
  const fs::path out = UserPath(options.out);
  std::error_code error;
  const auto status = fs::status(out, error);
  const bool one = options.audio.size() == 1 && formats_.size() == 1;
  is_file_ = one && !options.out.ends_with('/') && !fs::is_directory(status);
  if (is_file_) {
    if (!fs::exists(status) || fs::is_regular_file(status)) CheckFolder(out.parent_path());
    stems_.push_back(out.string());
    return;
  }
  CheckFolder(out);
  std::set<std::string> seen;
  for (const std::string& audio : options.audio) {
    stems_.push_back((out / Stem(audio)).string());
    if (seen.insert(stems_.back()).second) continue;
    Throw(ErrorCode::kInvalidArgument, "{}: another file of this command would become {}.{}, too",
          audio, stems_.back(), decoder::OutputExtension(formats_.front()));
  }
}

bool Outputs::wants_json() const {
  return std::ranges::count(formats_, decoder::OutputFormat::kJson) != 0;
}

void Outputs::Write(std::size_t index, const Result& result,
                    const Circumstances& circumstances) const {
  const decoder::Transcript& transcript = result.transcription.transcript;
  for (decoder::OutputFormat format : formats_) {
    std::string content;
    if (format == decoder::OutputFormat::kJson) {
      content = decoder::DumpJson(FullJson(options_, result, circumstances)) + "\n";
    } else if (format == decoder::OutputFormat::kText && stems_.empty()) {
      content = std::string(decoder::Strip(transcript.text)) + "\n";
    } else {
      content = decoder::FormatTranscript(transcript, format, Subtitles(options_));
    }
    if (stems_.empty()) {
      fmt::print("{}", content);
      std::fflush(stdout);
    } else if (is_file_) {
      decoder::WriteFileWhole(stems_[index], content);
    } else {
      decoder::WriteFileWhole(fmt::format("{}.{}", stems_[index], decoder::OutputExtension(format)),
                              content);
    }
  }
}

}  // namespace xdna::transcribe
