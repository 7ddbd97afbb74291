// Segments and words into the cues of SRT and VTT files.
#ifndef DECODER_TEXT_SUBTITLES_H_
#define DECODER_TEXT_SUBTITLES_H_

#include <string>
#include <vector>

#include "decoder/text/output.h"
#include "decoder/text/segment.h"

namespace xdna::decoder {

// Times in seconds. The text has no "-->", which would end a cue early, and may have line breaks.
struct Cue {
  double start = 0;
  double end = 0;
  std::string text;
};

// As openai-whisper's SubtitlesWriter lays them out.
std::vector<Cue> MakeCues(const Transcript& transcript, const SubtitleOptions& options);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_SUBTITLES_H_
