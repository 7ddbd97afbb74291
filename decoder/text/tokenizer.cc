#include "decoder/text/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <span>
#include <utility>

#include "base/error.h"
#include "decoder/text/languages.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

constexpr int kTimestamps = 1501;
constexpr int kEnglishOnlyEot = 50256;  // the size of GPT-2's vocabulary; multilingual has 50257

// Where the special tokens begin.
int FindEot(const std::vector<std::string>& tokens, const std::string& path) {
  const auto found = std::find(tokens.begin(), tokens.end(), "<|endoftext|>");
  if (found == tokens.end()) {
    Throw(ErrorCode::kCorrupt, "{}: there is no token <|endoftext|>", path);
  }
  return static_cast<int>(found - tokens.begin());
}

bool IsLanguageCode(std::string_view code) {
  return code.size() >= 2 && code.size() <= 8 &&
         std::all_of(code.begin(), code.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

}  // namespace

Tokenizer Tokenizer::Open(const std::string& path) { return Tokenizer(ReadVocabulary(path)); }

Tokenizer::Tokenizer(Vocabulary vocabulary)
    : path_(std::move(vocabulary.path)),
      tokens_(std::move(vocabulary.tokens)),
      eot_(FindEot(tokens_, path_)),
      pairs_(WithContext(
          path_,
          [this] { return BytePairs(std::span(tokens_).first(static_cast<std::size_t>(eot_))); })),
      multilingual_(eot_ != kEnglishOnlyEot) {
  WithContext(path_, [this] {
    FindSpecials();
    FindLanguages();
  });
}

int Tokenizer::Special(std::string_view name) const {
  const auto found = std::find(tokens_.begin() + eot_, tokens_.end(), name);
  return found == tokens_.end() ? -1 : static_cast<int>(found - tokens_.begin());
}

void Tokenizer::FindSpecials() {
  const auto find = [this](int SpecialTokens::*token, const char* name, const char* older = "") {
    special_.*token = Special(name);
    if (special_.*token < 0) special_.*token = Special(older);
    if (special_.*token < 0) Throw(ErrorCode::kCorrupt, "there is no token {}", name);
  };
  special_.eot = eot_;
  find(&SpecialTokens::sot, "<|startoftranscript|>");
  find(&SpecialTokens::translate, "<|translate|>");
  find(&SpecialTokens::transcribe, "<|transcribe|>");
  find(&SpecialTokens::sot_lm, "<|startoflm|>");
  find(&SpecialTokens::sot_prev, "<|startofprev|>");
  find(&SpecialTokens::no_speech, "<|nospeech|>", "<|nocaptions|>");
  find(&SpecialTokens::no_timestamps, "<|notimestamps|>");
  find(&SpecialTokens::timestamp_begin, "<|0.00|>");
  for (int i = 0; i < kTimestamps; ++i) {
    const std::string name = fmt::format("<|{:.2f}|>", i * kSecondsPerTimestamp);
    const int id = special_.timestamp_begin + i;
    if (id >= size() || tokens_[id] != name) {
      Throw(ErrorCode::kCorrupt, "token {} is not the time stamp {}", id, name);
    }
  }
  for (const int id : {special_.sot, special_.translate, special_.transcribe, special_.sot_lm,
                       special_.sot_prev, special_.no_speech, special_.no_timestamps}) {
    if (id > special_.timestamp_begin) {
      Throw(ErrorCode::kCorrupt, "token {} is {}; expected it before the time stamps", id,
            tokens_[id]);
    }
  }
}

void Tokenizer::FindLanguages() {
  for (int id = special_.sot + 1; id < special_.translate; ++id) {
    const std::string_view token = tokens_[id];
    const bool framed = token.size() > 4 && token.starts_with("<|") && token.ends_with("|>");
    const std::string_view code = framed ? token.substr(2, token.size() - 4) : "";
    if (!IsLanguageCode(code)) {
      Throw(ErrorCode::kCorrupt, "token {} is '{}'; expected a language, like <|en|>", id,
            ReplaceInvalid(token.substr(0, 40)));
    }
    languages_.push_back({std::string(code), id});
  }
  if (languages_.empty()) {
    Throw(ErrorCode::kCorrupt,
          "no languages; expected them between <|startoftranscript|> and <|translate|>");
  }
}

int Tokenizer::LanguageId(std::string_view code) const {
  for (const LanguageToken& language : languages_) {
    if (language.code == code) return language.id;
  }
  Throw(ErrorCode::kInvalidArgument, "{}: the model does not have the language '{}'; it has {}",
        path_, code, languages_.size());
}

std::vector<int> Tokenizer::SotSequence(std::string_view code, Task task) const {
  if (!multilingual_) return {special_.sot};
  return {special_.sot, LanguageId(code),
          task == Task::kTranslate ? special_.translate : special_.transcribe};
}

const std::string& Tokenizer::Bytes(int id) const {
  if (id < 0 || id >= size()) {
    Throw(ErrorCode::kInvalidArgument, "there is no token {}; {} has {}", id, path_, size());
  }
  return tokens_[id];
}

std::string Tokenizer::Decode(std::span<const int> ids) const {
  std::string bytes;
  for (const int id : ids) {
    if (id < special_.timestamp_begin) bytes += Bytes(id);
  }
  return ReplaceInvalid(bytes);
}

std::string Tokenizer::DecodeWithTimestamps(std::span<const int> ids) const {
  std::string bytes;
  for (const int id : ids) bytes += Bytes(id);
  return ReplaceInvalid(bytes);
}

std::vector<int> Tokenizer::NonSpeechTokens() const {
  constexpr std::string_view kSymbols[] = {
      "\"",  "#",  "(",  ")",   "*",   "+",   "/",   ":",  ";",   "<",  "=",  ">",
      "@",   "[",  "\\", "]",   "^",   "_",   "`",   "{",  "|",   "}",  "~",  "「",
      "」",  "『", "』", "<<",  ">>",  "<<<", ">>>", "--", "---", "-(", "-[", "('",
      "(\"", "((", "))", "(((", ")))", "[[",  "]]",  "{{", "}}",  "♪♪", "♪♪♪"};
  // Of these, which may take several tokens, the first token is left out: it stands for other
  // symbols of the same kind only.
  constexpr std::string_view kNotes[] = {"♩", "♪", "♫", "♬", "♭", "♮", "♯"};
  // Hyphens and quotes are right within words, but not as the beginning of one.
  std::set<int> result = {Encode(" -").front(), Encode(" '").front()};
  for (const std::string_view symbol : kSymbols) {
    for (const auto& ids : {Encode(symbol), Encode(fmt::format(" {}", symbol))}) {
      if (ids.size() == 1) result.insert(ids.front());
    }
  }
  for (const std::string_view note : kNotes) {
    for (const auto& ids : {Encode(note), Encode(fmt::format(" {}", note))}) {
      result.insert(ids.front());
    }
  }
  return {result.begin(), result.end()};
}

std::vector<TokenizedWord> Tokenizer::SplitAtCharacters(std::span<const int> ids) const {
  const std::u32string full = ToUtf32(DecodeWithTimestamps(ids));
  std::vector<TokenizedWord> words;
  std::size_t offset = 0;
  TokenizedWord word;
  for (const int id : ids) {
    word.tokens.push_back(id);
    word.text = DecodeWithTimestamps(word.tokens);
    const std::u32string text = ToUtf32(word.text);
    // U+FFFD is a character cut short, unless the whole text has it there, too.
    const std::size_t cut = text.find(kReplacement);
    if (cut != std::u32string::npos &&
        (offset + cut >= full.size() || full[offset + cut] != kReplacement)) {
      continue;
    }
    offset += text.size();
    words.push_back(std::exchange(word, {}));
  }
  if (!word.tokens.empty()) words.push_back(std::move(word));
  return words;
}

std::vector<TokenizedWord> Tokenizer::SplitToWords(std::span<const int> ids,
                                                   std::string_view code) const {
  constexpr std::string_view kPunctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";
  std::vector<TokenizedWord> parts = SplitAtCharacters(ids);
  if (IsWrittenWithoutSpaces(code)) return parts;
  std::vector<TokenizedWord> words;
  for (TokenizedWord& part : parts) {
    const bool special = part.tokens.front() >= special_.eot;
    // Any stretch of the list counts as openai-whisper does it: "()" and ")*", but not "!!".
    const bool punctuation = kPunctuation.find(Strip(part.text)) != std::string_view::npos;
    if (special || punctuation || part.text.starts_with(' ') || words.empty()) {
      words.push_back(std::move(part));
    } else {
      words.back().text += part.text;
      words.back().tokens.insert(words.back().tokens.end(), part.tokens.begin(), part.tokens.end());
    }
  }
  return words;
}

std::string StreamDecoder::Feed(int id) {
  if (id >= tokenizer_.special().timestamp_begin) return "";
  pending_ += tokenizer_.Bytes(id);
  const std::size_t whole = pending_.size() - IncompleteTail(pending_);
  const std::string text = ReplaceInvalid(std::string_view{pending_}.substr(0, whole));
  pending_.erase(0, whole);
  return text;
}

std::string StreamDecoder::Finish() { return ReplaceInvalid(std::exchange(pending_, {})); }

}  // namespace xdna::decoder
