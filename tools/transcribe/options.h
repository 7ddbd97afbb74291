// The command line of //tools:transcribe.
#ifndef TOOLS_TRANSCRIBE_OPTIONS_H_
#define TOOLS_TRANSCRIBE_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "decoder/decoder.h"
#include "decoder/text/output.h"
#include "decoder/text/tokenizer.h"
#include "decoder/transcribe.h"
#include "decoder/transcribe_model.h"
#include "ops/contract.h"

namespace xdna::transcribe {

struct Options {
  std::vector<std::string> audio;  // as typed
  std::string model, tokenizer;
  std::string device = "cpu", precision, schedule, preset;
  bool verify = false;
  int threads = AvailableCpus();

  std::string language = "auto", task = "transcribe", initial_prompt;
  int beam_size = 1, best_of = 5;
  double patience = 1, temperature = 0;
  std::string length_penalty = "none", temperature_increment_on_fallback = "0.2";
  std::string compression_ratio_threshold = "2.4", logprob_threshold = "-1";
  std::string no_speech_threshold = "0.6", hallucination_silence_threshold = "none";
  std::string suppress_tokens = "-1";
  bool condition_on_previous_text = true;
  bool word_timestamps = false;
  int batch_windows = 1;

  std::string format = "text", out;
  int max_line_width = 0, max_line_count = 0, max_words_per_line = 0;
};

// False where --help was asked for, and printed. Throws kInvalidArgument for what can't be parsed.
bool Parse(Options& options, int argc, const char* const* argv);

// As `options` has it, or what suits the device.
ops::Precision ChosenPrecision(const Options& options);

decoder::SubtitleOptions Subtitles(const Options& options);

// What the options mean for a model. Throws kInvalidArgument with the option's name.
decoder::TranscribeOptions ForModel(const Options& options, const decoder::Tokenizer& tokenizer,
                                    const decoder::ModelSettings& settings);

}  // namespace xdna::transcribe

#endif  // TOOLS_TRANSCRIBE_OPTIONS_H_
