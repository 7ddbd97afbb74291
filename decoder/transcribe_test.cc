#include "decoder/transcribe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "decoder/decoder.h"
#include "decoder/decoding.h"
#include "decoder/text/text_normalizer.h"
#include "decoder/text/tokenizer.h"
#include "decoder/transcribe_mel.h"
#include "decoder/transcribe_model.h"
#include "encoder/audio/audio.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/inputs.h"
#include "ops/contract.h"

namespace xdna::decoder {
namespace {

using ops::Precision;

// What openai-whisper 20250625 says to Debian's clips: Whisper base in f32, greedy, English, not
// knowing the text before.
struct Clip {
  const char* file;
  double end;  // of its one segment, which starts at 0
  const char* text;
};
constexpr Clip kLibriVox[] = {
    {"librivox/sense_and_sensibility_01_austen_64kb-0870.wav", 7.0,
     " And Mr. John Dashwood had then leisure to consider how much there might be prudently in his "
     "power to do for them."},
    {"librivox/sense_and_sensibility_01_austen_64kb-0880.wav", 3.0,
     " He was not an ill-disposed young man."},
    {"librivox/sense_and_sensibility_01_austen_64kb-0890.wav", 5.0,
     " Unless to be rather cold-hearted and rather selfish is to be ill-disposed."},
    {"librivox/sense_and_sensibility_01_austen_64kb-0920.wav", 6.0,
     " Had he married a more amiable woman he might have been made still more respectable than he "
     "was?"},
    {"librivox/sense_and_sensibility_01_austen_64kb-0930.wav", 3.0,
     " He might even have been made amiable himself."},
};
constexpr Clip kCards[] = {
    {"cards/001.wav", 2.0, " 10 of cloves."},
    {"cards/002.wav", 2.0, " 4 Queen of Cloves"},
    {"cards/003.wav", 2.0, " 7 of clubs."},
    {"cards/004.wav", 2.0, " 5 5"},
    {"cards/005.wav", 3.28, " 8 of spades, 4 of close, 7 of hearts."},
};

std::string PathOf(const Clip& clip) { return RunfilePath(fmt::format("../speech/{}", clip.file)); }

// All clips of LibriVox, `times` over, as one file.
std::string Joined(int times) {
  const std::string path = fmt::format("{}/joined{}.wav", testing::TempDir(), times);
  SF_INFO info{};
  info.samplerate = encoder::kSampleRate;
  info.channels = 1;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  for (int i = 0; i < times; ++i) {
    for (const Clip& clip : kLibriVox) {
      const std::vector<float> samples = encoder::ReadAudio(PathOf(clip)).samples;
      sf_writef_float(file, samples.data(), static_cast<sf_count_t>(samples.size()));
    }
  }
  sf_close(file);
  return path;
}

std::string SpokenWords(int times) {
  std::string text;
  for (int i = 0; i < times; ++i) {
    for (const Clip& clip : kLibriVox) text += clip.text;
  }
  return NormalizeEnglish(text);
}

struct Shared {
  Shared()
      : pool(AvailableCpus()),
        chosen(encoder::ChooseModel("")),
        log_mel(static_cast<int>(chosen.model.geometry().n_mels)) {}

  ThreadPool pool;
  encoder::ChosenModel chosen;
  encoder::LogMel log_mel;
};
Shared& Common() {
  static Shared shared;
  return shared;
}

// Whisper base in one precision.
class Machine {
 public:
  explicit Machine(Precision precision)
      : tokenizer_(Tokenizer::Open(Common().chosen.model.path())),
        encoder_(Common().chosen.model, encoder::WhisperShape(Common().chosen.model.geometry()),
                 {{precision, ops::Backend::kFast}, false}, {&Common().pool, nullptr}),
        decoder_(Common().chosen.model, precision, {&Common().pool, nullptr}),
        settings_(ReadModelSettings(Common().chosen.model.path(), decoder_.geometry())) {}

  TranscribeOptions Options() const {
    TranscribeOptions options;
    options.decoding = DefaultDecoding(tokenizer_);
    options.alignment_heads = settings_.alignment_heads;
    return options;
  }

  Transcription Run(const std::string& path, const TranscribeOptions& options,
                    const TranscribeProgress& progress = {}) {
    const EncodeWindow encode = [this](const TensorView& mel, const TensorView& out) {
      encoder_.Run(mel, out);
      return EncodeTime{0.5, std::nullopt};
    };
    Transcriber transcriber(decoder_, tokenizer_, encode, Common().pool, options);
    MelStream mel(path, "", Common().log_mel, &Common().pool);
    return transcriber.Run(mel, progress);
  }

  const Tokenizer& tokenizer() const { return tokenizer_; }
  const ModelSettings& settings() const { return settings_; }

 private:
  Tokenizer tokenizer_;
  encoder::CpuEncoder encoder_;
  Decoder decoder_;
  ModelSettings settings_;
};

// Where the model could not be had, tests are skipped; in CI that is a failure.
class Transcribe : public testing::Test {
 protected:
  void SetUp() override {
    const encoder::ChosenModel& chosen = Common().chosen;
    if (chosen.synthetic && std::getenv("XDNA_CI") != nullptr) FAIL() << chosen.note;
    if (chosen.synthetic) GTEST_SKIP() << chosen.note;
  }

  // Null where this machine can't run the precision.
  static Machine* Of(Precision precision) {
    static std::map<Precision, std::unique_ptr<Machine>> machines;
    if (machines.contains(precision)) return machines[precision].get();
    try {
      machines[precision] = std::make_unique<Machine>(precision);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      machines[precision] = nullptr;
    }
    return machines[precision].get();
  }
};

void ExpectClip(const Transcription& got, const Clip& clip) {
  EXPECT_EQ(got.transcript.text, clip.text);
  EXPECT_EQ(got.transcript.language, "en") << clip.file;
  EXPECT_FALSE(got.stopped);
  ASSERT_EQ(got.transcript.segments.size(), 1U) << clip.file;
  EXPECT_NEAR(got.transcript.segments[0].start, 0, 0.0201) << clip.file;
  EXPECT_NEAR(got.transcript.segments[0].end, clip.end, 0.0201) << clip.file;
}

TEST_F(Transcribe, SaysWhatOpenaiWhisperSays) {
  for (const Clip& clip : kLibriVox)
    ExpectClip(Of(Precision::kF32)->Run(PathOf(clip), Of(Precision::kF32)->Options()), clip);
  TranscribeOptions options = Of(Precision::kF32)->Options();
  options.temperatures = {0};  // draws are torch's own
  for (const Clip& clip : kCards) ExpectClip(Of(Precision::kF32)->Run(PathOf(clip), options), clip);
}

TEST_F(Transcribe, OtherPrecisionsHearTheSameWords) {
  for (Precision precision : {Precision::kBf16, Precision::kInt8}) {
    Machine* machine = Of(precision);
    if (machine == nullptr) continue;
    int different = 0;
    for (const Clip& clip : kLibriVox) {
      const Transcription got = machine->Run(PathOf(clip), machine->Options());
      different += NormalizeEnglish(got.transcript.text) != NormalizeEnglish(clip.text) ? 1 : 0;
    }
    EXPECT_LE(different, precision == Precision::kInt8 ? 1 : 0) << ops::PrecisionName(precision);
  }
}

// Words with their times: none lost, none twice, each after the one before.
void ExpectWords(const Transcription& got, int times, double seconds) {
  EXPECT_EQ(NormalizeEnglish(got.transcript.text), SpokenWords(times));
  std::string words;
  double last = 0;
  for (const Segment& segment : got.transcript.segments) {
    EXPECT_FALSE(segment.words.empty());
    for (const Word& word : segment.words) {
      words += word.text;
      EXPECT_GE(word.start, last - 1e-9) << word.text;
      EXPECT_GE(word.end, word.start) << word.text;
      EXPECT_LE(word.end, seconds + 0.01) << word.text;
      EXPECT_LE(word.end - word.start, 3) << word.text;
      last = word.end;
    }
  }
  EXPECT_EQ(words, got.transcript.text);
  EXPECT_GT(last, seconds - 2);
}

TEST_F(Transcribe, LosesNoWordBetweenWindows) {
  Machine* machine = Of(Precision::kBf16);
  if (machine == nullptr) machine = Of(Precision::kF32);
  TranscribeOptions options = machine->Options();
  options.word_timestamps = true;
  ExpectWords(machine->Run(Joined(1), options), 1, 24.73);
  double seen = 0;
  const Transcription long_one = machine->Run(Joined(6), options, [&](double done, double all) {
    EXPECT_GT(done, seen);
    EXPECT_NEAR(all, 148.38, 0.01);
    seen = done;
    return true;
  });
  ExpectWords(long_one, 6, 148.38);
  EXPECT_NEAR(seen, 148.38, 0.02);
  EXPECT_DOUBLE_EQ(long_one.times.encode, 0.5 * static_cast<double>(long_one.times.windows));
  options.batch_windows = 3;
  ExpectWords(machine->Run(Joined(3), options), 3, 74.19);
}

TEST_F(Transcribe, KeepsWhatIsDoneWhenStopped) {
  Machine* machine = Of(Precision::kF32);
  const Transcription got =
      machine->Run(Joined(2), machine->Options(), [](double, double) { return false; });
  EXPECT_TRUE(got.stopped);
  EXPECT_GT(got.until, 15);
  EXPECT_LT(got.until, 30.01);
  EXPECT_EQ(NormalizeEnglish(got.transcript.text).find(NormalizeEnglish(kLibriVox[0].text)), 0U);
}

TEST_F(Transcribe, HearsNothingInSilence) {
  const std::string path = testing::TempDir() + "/silence.wav";
  SF_INFO info{};
  info.samplerate = 8000;
  info.channels = 2;
  info.format = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  const std::vector<float> silence(std::size_t{2} * 8000 * 35);
  sf_writef_float(file, silence.data(), 8000 * 35);
  sf_close(file);
  Machine* machine = Of(Precision::kF32);
  const Transcription got = machine->Run(path, machine->Options());
  EXPECT_EQ(got.transcript.text, "");
  EXPECT_EQ(got.times.windows, 0);
  EXPECT_NEAR(got.until, 35, 1e-6);
}

TEST_F(Transcribe, TakesTheTextBeforeAsContext) {
  Machine* machine = Of(Precision::kF32);
  TranscribeOptions options = machine->Options();
  options.initial_prompt = "mr. john dashwood, elinor and marianne.";
  options.language = "en";
  const Transcription got = machine->Run(PathOf(kLibriVox[1]), options);
  EXPECT_EQ(NormalizeEnglish(got.transcript.text), NormalizeEnglish(kLibriVox[1].text));
  EXPECT_NE(
      got.transcript.segments[0].avg_logprob,
      machine->Run(PathOf(kLibriVox[1]), machine->Options()).transcript.segments[0].avg_logprob);
}

TEST_F(Transcribe, ModelFolderAgreesWithTheTokenizer) {
  const Machine* machine = Of(Precision::kF32);
  std::vector<int> made = machine->Options().decoding.suppress;
  std::sort(made.begin(), made.end());
  ASSERT_TRUE(machine->settings().suppress);
  EXPECT_EQ(*machine->settings().suppress, made);
  EXPECT_EQ(machine->settings().alignment_heads.size(), 8U);
}

TEST_F(Transcribe, RefusesOptionsThatMakeNoSense) {
  Machine* machine = Of(Precision::kF32);
  const auto refused = [&](const std::string& what,
                           const std::function<void(TranscribeOptions&)>& change) {
    TranscribeOptions options = machine->Options();
    change(options);
    try {
      machine->Run(PathOf(kLibriVox[1]), options);
      ADD_FAILURE() << "taken: " << what;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_NE(error.message().find(what), std::string::npos) << error.message();
    }
  };
  refused("no temperature", [](TranscribeOptions& o) { o.temperatures.clear(); });
  refused("batch_windows is 0", [](TranscribeOptions& o) { o.batch_windows = 0; });
  refused("tlh", [](TranscribeOptions& o) { o.language = "tlh"; });
  refused("needs word_timestamps",
          [](TranscribeOptions& o) { o.hallucination_silence_threshold = 2; });
  refused("alignment heads", [](TranscribeOptions& o) {
    o.word_timestamps = true;
    o.alignment_heads.clear();
  });
}

}  // namespace
}  // namespace xdna::decoder
