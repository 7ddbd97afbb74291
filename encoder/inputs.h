// Which model and which speech a program works on when the user names none.
#ifndef ENCODER_INPUTS_H_
#define ENCODER_INPUTS_H_

#include <string>
#include <vector>

#include "encoder/audio/audio.h"
#include "encoder/graph.h"
#include "encoder/weights/model.h"

namespace xdna::encoder {

struct ChosenModel {
  Model model;
  // True if the weights are seeded numbers: what comes out is no transcription, and
  // every line of a report has to say so.
  bool synthetic = false;
  std::string note;  // why it is synthetic
};

// `option` (a path as the user typed it) if not empty; else the environment's
// XDNA_WHISPER_MODEL; else the Whisper base that the build fetched; else, if that
// could not be had, a synthetic model of its size. `geometry` "synthetic-NAME" asks
// for seeded weights of a published size ("synthetic-whisper-tiny").
ChosenModel ChooseModel(const std::string& option, const std::string& geometry = "");

// `options` (paths as the user typed them), joined; else the LibriVox speech among
// this program's runfiles. Throws as ReadAudio does.
Audio ChooseAudio(const std::vector<std::string>& options);

// "" or "whisper" or the model's own name: the real encoder; "seed-3001": that one.
// Anything else throws kInvalidArgument naming what there is.
EncoderShape ChooseShape(const std::string& geometry, const Model& model);

}  // namespace xdna::encoder

#endif  // ENCODER_INPUTS_H_
