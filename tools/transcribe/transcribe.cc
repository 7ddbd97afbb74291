// Speech in, text out: the encoder on its device, the decoder on the CPU.
#include "decoder/transcribe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "decoder/decoder.h"
#include "decoder/text/tokenizer.h"
#include "decoder/transcribe_mel.h"
#include "decoder/transcribe_model.h"
#include "encoder/audio/log_mel.h"
#include "encoder/inputs.h"
#include "tools/transcribe/device.h"
#include "tools/transcribe/options.h"
#include "tools/transcribe/results.h"
#include "tools/transcribe/standard_input.h"

namespace xdna::transcribe {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::atomic<bool> interrupted{false};

// The first Ctrl-C ends the work after the present window; the second one, the program.
void StopOnInterrupt() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

encoder::Model OpenModel(const std::string& option) {
  encoder::ChosenModel chosen = encoder::ChooseModel(option);
  if (chosen.synthetic) {
    Throw(ErrorCode::kUnavailable, "no model to transcribe with ({}); give --model", chosen.note);
  }
  return std::move(chosen.model);
}

std::string Clock60(double seconds) {
  const auto whole = static_cast<int>(seconds);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

// One line on a terminal that is written over, and nothing elsewhere.
class Progress {
 public:
  explicit Progress(std::string audio) : audio_(std::move(audio)) {}
  ~Progress() {
    if (on_) fmt::print(stderr, "\r\033[K");
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(double done, double all) const {
    if (!on_ || done <= 0) return;
    const double spent = SecondsSince(begin_);
    fmt::print(stderr, "\r\033[K{}: {} of {}, {:.1f}x real time, {} left", audio_, Clock60(done),
               Clock60(all), done / spent, Clock60(spent * std::max(0.0, all - done) / done));
    std::fflush(stderr);
  }

 private:
  std::string audio_;
  Clock::time_point begin_ = Clock::now();
  bool on_ = isatty(STDERR_FILENO) != 0;
};

// Everything that the recordings of one command share.
class Session {
 public:
  explicit Session(const Options& options)
      : options_(options),
        outputs_(options),
        pool_(options.threads),
        model_(OpenModel(options.model)),
        tokenizer_(decoder::Tokenizer::Open(
            options.tokenizer.empty() ? model_.path() : UserPath(options.tokenizer))),
        log_mel_(static_cast<int>(model_.geometry().n_mels)),
        device_(model_, options, pool_),
        decoder_(model_, ChosenPrecision(options), {&pool_, nullptr}),
        transcriber_(decoder_, tokenizer_, device_.function(), pool_,
                     ForModel(options, tokenizer_,
                              decoder::ReadModelSettings(model_.path(), model_.geometry()))) {
    circumstances_.model_seconds = SecondsSince(begin_);
    circumstances_.model_name = model_.geometry().name;
    if (outputs_.wants_json()) circumstances_.model_sha256 = model_.sha256();
  }

  // Returns the exit code.
  int Transcribe(std::size_t index) {
    const std::string& audio = options_.audio[index];
    device_.ForgetVerdict();
    const Result result = Run(audio);
    outputs_.Write(index, result, circumstances_);
    return Report(result);
  }

 private:
  Result Run(const std::string& audio) {
    const auto begin = Clock::now();
    std::optional<StandardInput> input;
    if (audio == "-") input.emplace();
    const Progress progress(audio);
    decoder::MelStream mel(input ? input->path() : UserPath(audio),
                           input ? "standard input" : audio, log_mel_, &pool_);
    Result result;
    result.transcription = transcriber_.Run(mel, [&](double done, double all) {
      progress.Show(done, all);
      return !interrupted;
    });
    result.audio = audio;
    result.seconds = mel.seconds();
    result.sample_rate = mel.source_rate();
    result.channels = mel.source_channels();
    result.load = mel.load_seconds();
    result.mel = mel.mel_seconds();
    result.verdict = device_.verdict();
    result.total = SecondsSince(begin) - result.verdict.seconds;
    return result;
  }

  int Report(const Result& result) const {
    if (options_.verify && result.verdict.windows > 0) {
      fmt::print(stderr, "{}: encoder ({}, {}) over {} window{}: {}\n", result.audio,
                 options_.device, ops::PrecisionName(ChosenPrecision(options_)),
                 result.verdict.windows, result.verdict.windows == 1 ? "" : "s",
                 golden::Describe(result.verdict.worst));
    }
    if (result.transcription.stopped) {
      fmt::print(stderr, "transcribe: {}: stopped after {:.1f} of {:.1f} s, which are kept\n",
                 result.audio, result.transcription.until, result.seconds);
      return kExitFailed;
    }
    const bool wrong = result.verdict.windows > 0 && !result.verdict.worst.passed();
    return wrong ? kExitWrong : kExitOk;
  }

  Clock::time_point begin_ = Clock::now();
  const Options& options_;
  Outputs outputs_;
  ThreadPool pool_;
  encoder::Model model_;
  decoder::Tokenizer tokenizer_;
  encoder::LogMel log_mel_;
  DeviceEncoder device_;
  decoder::Decoder decoder_;
  decoder::Transcriber transcriber_;
  Circumstances circumstances_;
};

int Main(int argc, char** argv) {
  Options options;
  if (!Parse(options, argc, argv)) return kExitOk;
  Session session(options);
  StopOnInterrupt();
  int code = kExitOk;
  for (std::size_t i = 0; i < options.audio.size() && !interrupted; ++i) {
    // One file's trouble is not the others'.
    code = std::max(code, RunProgram("transcribe", [&] { return session.Transcribe(i); }));
  }
  return code;
}

}  // namespace
}  // namespace xdna::transcribe

int main(int argc, char** argv) {
  return xdna::RunProgram("transcribe", [&] { return xdna::transcribe::Main(argc, argv); });
}
