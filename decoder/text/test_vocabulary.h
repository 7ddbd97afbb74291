// For tests: small vocabularies in every file format, files, errors.
#ifndef DECODER_TEXT_TEST_VOCABULARY_H_
#define DECODER_TEXT_TEST_VOCABULARY_H_

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace xdna::decoder::test {

// `bytes` in GPT-2's byte characters.
std::string Spell(const std::string& bytes);

struct TinyOptions {
  // Ordinary tokens in all; more than the few that mean something are filled up.
  int text_tokens = 0;
  // Tokens of all single bytes first, then these.
  std::vector<std::string> joined = {" t",       "he",  " the", "in",  " \xE2",
                                     "\x99\xAA", "and", "ll",   "'ll", " w"};
  std::vector<std::string> specials = {
      "<|endoftext|>",   "<|startoftranscript|>", "<|en|>",           "<|de|>",
      "<|ja|>",          "<|translate|>",         "<|transcribe|>",   "<|startoflm|>",
      "<|startofprev|>", "<|nospeech|>",          "<|notimestamps|>",
  };
  bool timestamps = true;
};

// By id, as files spell them.
std::vector<std::string> SpelledTokens(const TinyOptions& options = {});

std::string TokenizerJson(const TinyOptions& options = {});   // without time stamps
std::string VocabularyText(const TinyOptions& options = {});  // a line each
std::string VocabularyJson(const TinyOptions& options = {});  // a list

// Writes a file into the test's own directory and returns its path.
std::string WriteFile(const std::string& name, const std::string& content);
std::string ReadFile(const std::string& path);

// Expects `body` to throw an Error of one line that has `message` in it.
void ExpectError(ErrorCode code, const std::string& message, const std::function<void()>& body);

}  // namespace xdna::decoder::test

#endif  // DECODER_TEXT_TEST_VOCABULARY_H_
