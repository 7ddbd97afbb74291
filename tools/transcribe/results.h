// Where transcripts go, and what is said of how they were made.
#ifndef TOOLS_TRANSCRIBE_RESULTS_H_
#define TOOLS_TRANSCRIBE_RESULTS_H_

#include <string>
#include <vector>

#include "decoder/text/output.h"
#include "decoder/transcribe.h"
#include "tools/transcribe/device.h"
#include "tools/transcribe/options.h"

namespace xdna::transcribe {

// One recording's transcription and its circumstances.
struct Result {
  decoder::Transcription transcription;
  std::string audio;  // as typed
  double seconds = 0;
  int sample_rate = 0, channels = 0;
  // Measured seconds; the encoder's and decoder's are in the transcription.
  double load = 0, mel = 0, total = 0;
  DeviceVerdict verdict;
};

// What all recordings of a command have in common.
struct Circumstances {
  std::string model_name, model_sha256;
  double model_seconds = 0;  // reading and packing it
};

class Outputs {
 public:
  // Throws before any work is done: kInvalidArgument where the options contradict each other or
  // two recordings would become one file, kUnavailable where a place can't be written to.
  explicit Outputs(const Options& options);

  bool wants_json() const;

  // Each format to its file, or to standard output.
  void Write(std::size_t index, const Result& result, const Circumstances& circumstances) const;

 private:
  const Options& options_;
  std::vector<decoder::OutputFormat> formats_;
  // Of each recording without the extension; the whole path where there is one file only. Empty:
  // standard output.
  std::vector<std::string> stems_;
  bool is_file_ = false;
};

}  // namespace xdna::transcribe

#endif  // TOOLS_TRANSCRIBE_RESULTS_H_
