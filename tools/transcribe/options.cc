#include "tools/transcribe/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "bench/command_line.h"
#include "decoder/decoding.h"
#include "decoder/text/languages.h"

namespace xdna::transcribe {
namespace {

constexpr const char* kHelp =
    "Speech to text with Whisper: the encoder on --device, the decoder on the CPU. Options that\n"
    "openai-whisper has mean what they mean there; \"none\" switches a threshold off.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  bazel run //tools:transcribe -- talk.flac\n"
    "  bazel run //tools:transcribe -- *.wav --format=srt,json --out=texts/ --word_timestamps\n"
    "  bazel run //tools:transcribe -- talk.mp3 --precision=int8 --beam_size=5 --language=de\n"
    "  ffmpeg -i film.mkv -f wav - | bazel run //tools:transcribe -- - --format=vtt\n"
    "\n"
    "Without --out the text goes to standard output: with --format=text as one line for each "
    "file,\n"
    "in files as one line for each segment. With --out=FOLDER/ each NAME.wav becomes NAME.txt, "
    ".srt,\n"
    ".vtt, .tsv or .json there. Ctrl-C keeps what is done.\n"
    "Exit codes: 0 right, 1 the encoder's verdict (--verify) is not \"passed\", 2 bad input,\n"
    "3 anything else; files that can be read are done whatever becomes of the others.\n";

void DeclareDevice(CLI::App& app, Options& o) {
  app.add_option("--model", o.model,
                 "checkpoint: CTranslate2, safetensors, ggml or our HDF5; file or folder");
  app.add_option("--tokenizer", o.tokenizer,
                 "tokenizer.json, vocabulary.txt or vocabulary.json (default: beside the model)");
  app.add_option("--device", o.device, "of the encoder: cpu or npu")->capture_default_str();
  app.add_option("--precision", o.precision, "f32, bf16 or int8 (default: f32; npu: bf16)");
  app.add_option("--schedule", o.schedule, "how the NPU's work is scheduled");
  app.add_option("--preset", o.preset, "which NPU is simulated");
  app.add_flag("--verify", o.verify, "hold the encoder's output against the CPU's in f32");
  app.add_option("--threads", o.threads, "threads")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
}

void DeclareDecoding(CLI::App& app, Options& o) {
  app.add_option("--language", o.language, "code or English name, or auto")->capture_default_str();
  app.add_option("--task", o.task, "transcribe, or translate (into English)")
      ->check(CLI::IsMember({"transcribe", "translate"}))
      ->capture_default_str();
  app.add_option("--beam_size", o.beam_size, "sequences that a search keeps; 1: greedy")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--patience", o.patience, "a search ends with beam_size * patience results")
      ->capture_default_str();
  app.add_option("--length_penalty", o.length_penalty, "0 to 1; none: mean log-probability")
      ->capture_default_str();
  app.add_option("--temperature", o.temperature, "0: the likeliest; above: tokens are drawn")
      ->check(CLI::Range(0.0, 10.0))
      ->capture_default_str();
  app.add_option("--best_of", o.best_of, "draws of which the best is taken")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--temperature_increment_on_fallback", o.temperature_increment_on_fallback,
                 "to try again with, up to 1, where a threshold is missed")
      ->capture_default_str();
  app.add_option("--compression_ratio_threshold", o.compression_ratio_threshold,
                 "above it a text repeats itself, and is tried again")
      ->capture_default_str();
  app.add_option("--logprob_threshold", o.logprob_threshold,
                 "a mean log-probability below it is tried again")
      ->capture_default_str();
  app.add_option("--no_speech_threshold", o.no_speech_threshold,
                 "probability of no speech, from which an improbable text is dropped")
      ->capture_default_str();
  app.add_option("--hallucination_silence_threshold", o.hallucination_silence_threshold,
                 "seconds of silence around made-up words that are skipped; needs words")
      ->capture_default_str();
  app.add_option("--condition_on_previous_text", o.condition_on_previous_text,
                 "whether a window knows the text before it")
      ->capture_default_str();
  app.add_option("--initial_prompt", o.initial_prompt, "text before the first window");
  app.add_option("--suppress_tokens", o.suppress_tokens,
                 "never sampled: ids with commas; -1: all symbols that aren't speech")
      ->capture_default_str();
  app.add_option("--batch_windows", o.batch_windows,
                 "windows decoded together; above 1, cut at pauses, each without the others' text")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
}

void DeclareOutput(CLI::App& app, Options& o) {
  app.add_flag("--word_timestamps", o.word_timestamps, "when each word was said");
  app.add_option("--format", o.format, "text, srt, vtt, tsv, json, several with commas, or all")
      ->capture_default_str();
  app.add_option("--out", o.out, "file, or folder (ends in / or exists, or for several files)");
  app.add_option("--max_line_width", o.max_line_width, "characters of a subtitle's line");
  app.add_option("--max_line_count", o.max_line_count, "lines of a subtitle");
  app.add_option("--max_words_per_line", o.max_words_per_line, "words of a subtitle");
  app.footer(kExamples);
}

std::optional<double> Threshold(const char* option, const std::string& text) {
  if (text == "none" || text == "None") return std::nullopt;
  double value = 0;
  if (!CLI::detail::lexical_cast(text, value) || !std::isfinite(value)) {
    Throw(ErrorCode::kInvalidArgument, "--{}={}: expected a number or \"none\"", option, text);
  }
  return value;
}

std::vector<double> Temperatures(const Options& o) {
  const std::optional<double> step =
      Threshold("temperature_increment_on_fallback", o.temperature_increment_on_fallback);
  std::vector<double> temperatures = {o.temperature};
  if (!step) return temperatures;
  if (*step < 0.01) {
    Throw(ErrorCode::kInvalidArgument,
          "--temperature_increment_on_fallback={}: expected 0.01 or more, or \"none\"", *step);
  }
  for (int i = 1; o.temperature + i * *step <= 1 + 1e-6; ++i)
    temperatures.push_back(o.temperature + i * *step);
  return temperatures;
}

std::vector<int> Suppressed(const std::string& list, const std::vector<int>& by_default,
                            int vocabulary) {
  std::vector<int> tokens;
  for (std::string_view rest = list; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const std::string part(rest.substr(0, comma));
    int token = 0;
    if (!CLI::detail::lexical_cast(part, token) || token < -1 || token >= vocabulary) {
      Throw(ErrorCode::kInvalidArgument,
            "--suppress_tokens={}: '{}' is no token; expected -1 or 0 to {}", list, part,
            vocabulary - 1);
    }
    if (token == -1) {
      tokens.insert(tokens.end(), by_default.begin(), by_default.end());
    } else {
      tokens.push_back(token);
    }
    rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
  }
  return tokens;
}

}  // namespace

bool Parse(Options& options, int argc, const char* const* argv) {
  CLI::App app(kHelp, "transcribe");
  app.add_option("AUDIO", options.audio, "sound files; - is a WAV file from standard input")
      ->required();
  DeclareDevice(app, options);
  DeclareDecoding(app, options);
  DeclareOutput(app, options);
  return bench::ParseOptions(app, argc, argv);
}

ops::Precision ChosenPrecision(const Options& options) {
  if (!options.precision.empty()) return ops::PrecisionFromName(options.precision);
  return options.device == "npu" ? ops::Precision::kBf16 : ops::Precision::kF32;
}

decoder::SubtitleOptions Subtitles(const Options& options) {
  return {options.max_line_width, options.max_line_count, options.max_words_per_line};
}

decoder::TranscribeOptions ForModel(const Options& o, const decoder::Tokenizer& tokenizer,
                                    const decoder::ModelSettings& settings) {
  decoder::TranscribeOptions to;
  if (o.language != "auto") to.language = decoder::LanguageCode(o.language);
  if (!tokenizer.multilingual()) {
    if (!to.language.empty() && to.language != "en") {
      Throw(ErrorCode::kInvalidArgument, "--language={}: this model knows English only",
            o.language);
    }
    if (o.task == "translate") {
      Throw(ErrorCode::kInvalidArgument, "--task=translate: this model knows English only");
    }
  }
  to.task = o.task == "translate" ? decoder::Task::kTranslate : decoder::Task::kTranscribe;
  to.decoding = decoder::DefaultDecoding(tokenizer);
  to.decoding.suppress = Suppressed(
      o.suppress_tokens, settings.suppress.value_or(to.decoding.suppress), tokenizer.size());
  to.decoding.beam_size = o.beam_size > 1 ? o.beam_size : 0;
  to.decoding.patience = o.patience;
  to.decoding.best_of = o.best_of;
  to.decoding.length_penalty = Threshold("length_penalty", o.length_penalty);
  to.temperatures = Temperatures(o);
  to.compression_ratio_threshold =
      Threshold("compression_ratio_threshold", o.compression_ratio_threshold);
  to.logprob_threshold = Threshold("logprob_threshold", o.logprob_threshold);
  to.no_speech_threshold = Threshold("no_speech_threshold", o.no_speech_threshold);
  to.hallucination_silence_threshold =
      Threshold("hallucination_silence_threshold", o.hallucination_silence_threshold);
  to.condition_on_previous_text = o.condition_on_previous_text;
  to.initial_prompt = o.initial_prompt;
  to.word_timestamps = o.word_timestamps;
  to.alignment_heads = settings.alignment_heads;
  to.batch_windows = o.batch_windows;
  return to;
}

}  // namespace xdna::transcribe
