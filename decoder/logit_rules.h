// Which tokens may come next: openai-whisper's logit filters (whisper/decoding.py).
#ifndef DECODER_LOGIT_RULES_H_
#define DECODER_LOGIT_RULES_H_

#include <cstddef>
#include <span>
#include <vector>

#include "decoder/text/tokenizer.h"

namespace xdna::decoder {

// What is ruled out gets the logit -infinity. `sampled` is what a row has after its prompt.

// At the beginning: neither a blank nor the end. `blank` is what " " encodes to, [220] in
// Whisper's vocabularies.
struct BlankRule {
  std::vector<int> tokens;  // blank and eot
  void Apply(std::span<const int> sampled, std::span<float> logits) const;
};

// Never these.
struct SuppressRule {
  std::vector<int> tokens;
  void Apply(std::span<float> logits) const;
};

// Timestamps come in pairs but for the first, never decrease, and the first is at most
// `last_initial` steps of 0.02 s. Where all of them together are likelier than any other token,
// it has to be one of them.
struct TimestampRule {
  SpecialTokens special;
  int last_initial = 50;  // -1: no limit
  void Apply(std::span<const int> sampled, std::span<float> logits) const;
};

// log(sum exp x), of finite values and -infinity. `scratch` is as large as x.
double LogSumExp(std::span<const float> x, std::span<float> scratch);

// The `count` largest of x, largest first, the lower index first among equals; fewer where fewer
// are above -infinity. To `best`, whose old content goes.
void LargestOf(std::span<const float> x, std::size_t count, std::vector<int>& best);

}  // namespace xdna::decoder

#endif  // DECODER_LOGIT_RULES_H_
