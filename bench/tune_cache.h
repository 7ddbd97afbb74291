// Tiles that were found before: one JSON file each, in the user's cache.
#ifndef BENCH_TUNE_CACHE_H_
#define BENCH_TUNE_CACHE_H_

#include <map>
#include <optional>
#include <string>

#include "bench/tune.h"

namespace xdna::bench {

// All that a search's result follows from, by name: op, shape, precision, columns, batch, reuse,
// preset, host profile, code generator, time model, program. Another value of any is another key.
using TuneKey = std::map<std::string, std::string>;

class TuneCache {
 public:
  struct Found {
    TuneResult result;  // with a winner
    std::string date;   // UTC, of the search
  };

  // An empty folder: nothing is found or kept.
  explicit TuneCache(std::string folder) : folder_(std::move(folder)) {}

  // The file that a key has, a hash of the key its name.
  std::string PathOf(const TuneKey& key) const;
  // Nothing where there is no file; nothing and `warning`, a line that names the file, where it is
  // damaged or was made for another key.
  std::optional<Found> Find(const TuneKey& key, std::string& warning) const;
  // Replaces the key's file in one step, so that readers see the old one or the new one. Sets
  // `warning` where that can't be done: the result is good all the same.
  void Keep(const TuneKey& key, const TuneResult& result, const std::string& date,
            std::string& warning) const;

 private:
  std::string folder_;
};

}  // namespace xdna::bench

#endif  // BENCH_TUNE_CACHE_H_
