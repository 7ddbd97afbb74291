// The tokens of a Whisper model, read from the file beside its weights.
#ifndef DECODER_TEXT_VOCABULARY_H_
#define DECODER_TEXT_VOCABULARY_H_

#include <string>
#include <string_view>
#include <vector>

namespace xdna::decoder {

struct Vocabulary {
  std::string path;  // of the file, for messages
  // The bytes of each token, by id; ids have no gaps and no two tokens are the same. Special tokens
  // are spelled out: "<|endoftext|>".
  std::vector<std::string> tokens;
};

// Reads Hugging Face's tokenizer.json, or CTranslate2's vocabulary.json (a list) or vocabulary.txt
// (a line each). `path` is that file, or a folder that has one, or another file of such a folder
// (model.bin); the first of the three names that is there counts. Where the file ends before the
// 1501 time stamps, as tokenizer.json does, they are appended. The merges of tokenizer.json are not
// used: see BytePairs.
//
// Throws Error that names the file and the field: kNotFound, or kCorrupt for what is not such a
// file.
Vocabulary ReadVocabulary(const std::string& path);

// The same from memory; messages call it `path`.
Vocabulary ParseVocabulary(std::string_view content, const std::string& path);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_VOCABULARY_H_
