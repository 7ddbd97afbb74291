// Whisper's tokens: text to ids and back, special tokens, words.
#ifndef DECODER_TEXT_TOKENIZER_H_
#define DECODER_TEXT_TOKENIZER_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/byte_pairs.h"
#include "decoder/text/vocabulary.h"

namespace xdna::decoder {

// Ids of tokens that are not text. `eot` is the lowest of all such; ids from `timestamp_begin` on
// are times of 0.02 s each.
struct SpecialTokens {
  int eot = 0;  // <|endoftext|>
  int sot = 0;  // <|startoftranscript|>
  int translate = 0;
  int transcribe = 0;
  int sot_lm = 0;     // <|startoflm|>
  int sot_prev = 0;   // <|startofprev|>
  int no_speech = 0;  // <|nospeech|>, or <|nocaptions|> in older files
  int no_timestamps = 0;
  int timestamp_begin = 0;  // <|0.00|>
};

struct LanguageToken {
  std::string code;
  int id = 0;
};

// A word with the tokens that make it up; `text` begins with its space, if it has one.
struct TokenizedWord {
  std::string text;
  std::vector<int> tokens;
};

enum class Task { kTranscribe, kTranslate };

inline constexpr double kSecondsPerTimestamp = 0.02;

// Immutable; any number of threads may use one.
class Tokenizer {
 public:
  // `path` as ReadVocabulary takes it; throws as it does, and kCorrupt where a special token is
  // missing or out of order.
  static Tokenizer Open(const std::string& path);
  explicit Tokenizer(Vocabulary vocabulary);
  Tokenizer(Tokenizer&&) = default;

  int size() const { return static_cast<int>(tokens_.size()); }  // ids are [0, size())
  // False for the models whose names end in ".en"; they are prompted with no language and no task.
  bool multilingual() const { return multilingual_; }
  const SpecialTokens& special() const { return special_; }
  // In the order of their tokens. English-only models have the tokens, too.
  std::span<const LanguageToken> languages() const { return languages_; }

  // The token of a language code. Throws kInvalidArgument if the model does not have it.
  int LanguageId(std::string_view code) const;

  // What the decoder is started with: sot, language, task; only sot if English-only. Without
  // <|notimestamps|>.
  std::vector<int> SotSequence(std::string_view code, Task task) const;

  // Text never becomes special tokens: "<|en|>" is encoded as its characters.
  std::vector<int> Encode(std::string_view text) const { return pairs_.Encode(text); }

  // The token's own bytes, which may be part of a character. Throws kInvalidArgument for an id
  // beyond size().
  const std::string& Bytes(int id) const;

  // Valid UTF-8: what the bytes make no character of is U+FFFD. Time stamps leave no text; other
  // special tokens are spelled out.
  std::string Decode(std::span<const int> ids) const;
  // With time stamps spelled out: "<|1.08|>".
  std::string DecodeWithTimestamps(std::span<const int> ids) const;

  // What not to sample so that only speech is written down: brackets, music notes, speaker tags;
  // but not ordinary punctuation. Sorted; openai-whisper's set of the same name.
  std::vector<int> NonSpeechTokens() const;

  // Words for time stamps, as openai-whisper's split_to_word_tokens: at spaces, punctuation and
  // special tokens, or at each whole character if the language is written without spaces. All
  // tokens are kept, in order.
  std::vector<TokenizedWord> SplitToWords(std::span<const int> ids, std::string_view code) const;

 private:
  std::vector<TokenizedWord> SplitAtCharacters(std::span<const int> ids) const;
  int Special(std::string_view name) const;  // -1 if there is none
  void FindSpecials();
  void FindLanguages();

  std::string path_;
  std::vector<std::string> tokens_;
  int eot_ = 0;
  BytePairs pairs_;
  SpecialTokens special_;
  std::vector<LanguageToken> languages_;
  bool multilingual_ = false;
};

// Decodes tokens one at a time, for display while they come: a character whose bytes are spread
// over several tokens comes out whole, with the last. All that comes out is Decode()'s text.
class StreamDecoder {
 public:
  // `tokenizer` must outlive this object.
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  std::string Feed(int id);  // valid UTF-8, perhaps empty
  std::string Finish();      // the end of a segment: U+FFFD if part of a character is left

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
};

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_TOKENIZER_H_
