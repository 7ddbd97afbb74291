#include "bench/user_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <system_error>

namespace xdna::bench {
namespace {

namespace fs = std::filesystem;

// A name beside `path` that no other writer has.
fs::path PartOf(const fs::path& path) {
  static std::atomic<int> count = 0;
  return fmt::format("{}.{}.{}.part", path.string(), getpid(), count++);
}

}  // namespace

std::string UserCacheFolder(const std::string& name) {
  const auto from = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string(value == nullptr ? "" : value);
  };
  std::string root = from("XDG_CACHE_HOME");
  if (root.empty() && !from("HOME").empty()) root = from("HOME") + "/.cache";
  return root.empty() ? "" : root + "/xdna-whisper-bench/" + name;
}

bool ReplaceFile(const fs::path& path, const std::string& text) {
  const fs::path part = PartOf(path);
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  std::ofstream file(part, std::ios::binary);
  file << text;
  file.close();
  if (file) fs::rename(part, path, error);
  if (file && !error) return true;
  fs::remove(part, error);
  return false;
}

}  // namespace xdna::bench
