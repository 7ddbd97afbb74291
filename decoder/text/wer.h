// Word error rate.
#ifndef DECODER_TEXT_WER_H_
#define DECODER_TEXT_WER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::decoder {

// What the steps of an alignment cost; the cheapest alignment counts. Ties prefer a match or
// substitution, then a deletion.
struct EditCosts {
  int substitution = 1;
  int deletion = 1;
  int insertion = 1;
};
inline constexpr EditCosts kLevenshtein = {};         // fewest errors
inline constexpr EditCosts kScliteCosts = {4, 3, 3};  // of NIST's sclite (SCTK, doc/sclite.htm)

enum class EditKind { kMatch, kSubstitution, kDeletion, kInsertion };

// A step from reference to hypothesis; `reference` is empty for an insertion, `hypothesis` for a
// deletion.
struct Edit {
  EditKind kind = EditKind::kMatch;
  std::string reference;
  std::string hypothesis;
};

// Of one text or, added up, of many.
struct WordErrors {
  std::int64_t words = 0;  // of the reference
  std::int64_t substitutions = 0;
  std::int64_t deletions = 0;
  std::int64_t insertions = 0;

  std::int64_t errors() const { return substitutions + deletions + insertions; }
  // Errors over words of the reference, which can be more than 1; nothing if it has no words.
  std::optional<double> rate() const;
  WordErrors& operator+=(const WordErrors& other);
};

// What is between white space.
std::vector<std::string> SplitWords(std::string_view text);

// The cheapest alignment. Time and memory grow with the product of the two sizes, less what both
// have in common at either end; throws kUnsupported if that product is over 2^30 (1 GiB).
std::vector<Edit> AlignWords(std::span<const std::string> reference,
                             std::span<const std::string> hypothesis,
                             const EditCosts& costs = kLevenshtein);

WordErrors CountErrors(std::span<const Edit> edits);

// Three lines for a screen of `width` columns at a time, errors in capitals as sclite prints them:
//   REF:  so my FELLOW americans **
//   HYP:  so my YELLOW americans UH
//   Eval:       S                I
// `width` of at least 20.
std::string FormatAlignment(std::span<const Edit> edits, std::size_t width);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_WER_H_
