// Files that programs keep for later runs, in the user's cache.
#ifndef BENCH_USER_CACHE_H_
#define BENCH_USER_CACHE_H_

#include <filesystem>
#include <string>

namespace xdna::bench {

// $XDG_CACHE_HOME, else ~/.cache, with "/xdna-whisper-bench/NAME"; empty where there is neither.
std::string UserCacheFolder(const std::string& name);

// Makes the file, and its folder, or replaces it in one step: readers see the old text or the new
// one, never a part. False, and nothing left behind, where that can't be done.
bool ReplaceFile(const std::filesystem::path& path, const std::string& text);

}  // namespace xdna::bench

#endif  // BENCH_USER_CACHE_H_
