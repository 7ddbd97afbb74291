#include "encoder/inputs.h"

#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"

namespace xdna::encoder {
namespace {

constexpr std::uint64_t kSyntheticSeed = 1;
constexpr const char* kSyntheticPrefix = "synthetic-";

// Chapter 1 of Sense and Sensibility, read for LibriVox: public domain.
constexpr const char* kSpeech[] = {"0870", "0880", "0890", "0920", "0930"};

std::string WhyAbsent() {
  const std::string path = RunfilePath("../whisper_base/ABSENT.txt");
  std::string reason = "the build has no model";
  if (!path.empty()) {
    std::ifstream file(path);
    std::getline(file, reason);
  }
  return reason;
}

ChosenModel Synthetic(const std::string& name, const std::string& note) {
  return {SyntheticModel(KnownGeometry(name), kSyntheticSeed), true, note};
}

}  // namespace

ChosenModel ChooseModel(const std::string& option, const std::string& geometry) {
  if (geometry.starts_with(kSyntheticPrefix)) {
    if (!option.empty()) {
      Throw(ErrorCode::kInvalidArgument,
            "--geometry={} makes its own weights; leave out --model={}", geometry, option);
    }
    return Synthetic(geometry.substr(std::string(kSyntheticPrefix).size()),
                     "asked for by --geometry");
  }
  if (!option.empty()) return {Model::Open(UserPath(option)), false, ""};
  if (const char* path = std::getenv("XDNA_WHISPER_MODEL"); path != nullptr && *path != '\0') {
    return WithContext("XDNA_WHISPER_MODEL", [&] {
      return ChosenModel{Model::Open(UserPath(path)), false, ""};
    });
  }
  const std::string fetched = RunfilePath("../whisper_base/model.bin");
  if (!fetched.empty()) return {Model::Open(fetched), false, ""};
  return Synthetic("whisper-base", WhyAbsent());
}

Audio ChooseAudio(const std::vector<std::string>& options) {
  std::vector<std::string> paths;
  for (const std::string& option : options) paths.push_back(UserPath(option));
  if (!paths.empty()) return ReadAudioList(paths);
  for (const char* number : kSpeech) {
    const std::string file =
        fmt::format("../speech/librivox/sense_and_sensibility_01_austen_64kb-{}.wav", number);
    paths.push_back(RunfilePath(file));
    if (paths.back().empty()) {
      Throw(ErrorCode::kNotFound,
            "no {} among the runfiles; run this program with bazel, or give --audio", file);
    }
  }
  Audio audio = ReadAudioList(paths);
  audio.source = "LibriVox, Sense and Sensibility (5 clips of pocketsphinx-testdata)";
  return audio;
}

EncoderShape ChooseShape(const std::string& geometry, const Model& model) {
  const std::string& name = model.geometry().name;
  if (geometry.empty() || geometry == "whisper" || geometry == name ||
      geometry == kSyntheticPrefix + name) {
    return WhisperShape(model.geometry());
  }
  if (geometry == "seed-3001") return Seed3001Shape(model.geometry());
  Throw(ErrorCode::kInvalidArgument,
        "--geometry={}: the model is {}; there are {}, seed-3001, and synthetic-NAME with NAME of: "
        "{}",
        geometry, name, name, fmt::join(KnownGeometryNames(), " "));
}

}  // namespace xdna::encoder
