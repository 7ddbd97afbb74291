#include "reports/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::reports {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNotesName = "series.jsonl";
constexpr const char* kTornName = "torn.txt";

[[noreturn]] void Fail(const std::string& path, const char* what) {
  Throw(ErrorCode::kUnavailable, "{}: {} ({})", path, what, std::strerror(errno));
}

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags) : path_(path) {
    fd_ = open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (fd_ < 0) Fail(path, "can't be opened");
  }
  ~Descriptor() { close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  void Lock() {
    while (flock(fd_, LOCK_EX) != 0) {
      if (errno != EINTR) Fail(path_, "can't be locked");
    }
  }
  void Write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = write(fd_, text.data(), text.size());
      if (written < 0 && errno != EINTR) Fail(path_, "can't be written");
      if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void Sync() {
    if (fsync(fd_) != 0) Fail(path_, "can't be written to the disk");
  }
  void Truncate(std::size_t bytes) {
    if (ftruncate(fd_, static_cast<off_t>(bytes)) != 0) Fail(path_, "can't be shortened");
  }

 private:
  std::string path_;
  int fd_ = -1;
};

// The lock goes with the process, however that ends.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder)
      : file_((fs::path(folder) / ".lock").string(), O_RDWR | O_CREAT) {
    file_.Lock();
  }

 private:
  Descriptor file_;
};

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Moves what stands behind the last line's end to torn.txt.
void RepairEnd(const std::string& path, const std::string& text, HistoryChange& change) {
  const std::size_t end = text.rfind('\n');
  const std::size_t whole = end == std::string::npos ? 0 : end + 1;
  if (whole == text.size()) return;
  const fs::path torn = fs::path(path).parent_path() / kTornName;
  Descriptor kept(torn.string(), O_WRONLY | O_APPEND | O_CREAT);
  kept.Write(fmt::format("{}: {}\n", fs::path(path).filename().string(), text.substr(whole)));
  kept.Sync();
  Descriptor(path, O_WRONLY).Truncate(whole);
  change.repaired.push_back(fmt::format("{}: {} bytes of a torn last line moved to {}", path,
                                        text.size() - whole, torn.string()));
}

std::set<std::string> LinesOf(const std::string& text) {
  std::set<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    lines.insert(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

void AppendLines(const std::string& path, const std::vector<std::string>& lines,
                 HistoryChange& change) {
  const std::string text = ReadAll(path);
  RepairEnd(path, text, change);
  std::set<std::string> known = LinesOf(text);
  Descriptor file(path, O_WRONLY | O_APPEND | O_CREAT);
  for (const std::string& line : lines) {
    if (!known.insert(line).second) {
      ++change.known;
      continue;
    }
    file.Write(line + "\n");
    ++change.added;
  }
  file.Sync();
}

std::string FileNameOf(const bench::Environment& e) {
  const std::string date = e.date.substr(0, 10);
  const bool good = date.size() == 10 && date.find_first_not_of("0123456789-") == std::string::npos;
  const bool hash = e.git_revision.size() == 40 &&
                    e.git_revision.find_first_not_of("0123456789abcdef") == std::string::npos;
  return fmt::format("{}_{}{}.jsonl", good ? date : "0000-00-00",
                     hash ? e.git_revision.substr(0, 12) : "unknown",
                     e.git_dirty.value_or(false) ? "-dirty" : "");
}

// Of the last run in the file; names have the day alone, and many revisions share one.
std::string NewestDate(const std::string& path) {
  std::string newest;
  for (const LoadedRecord& loaded : LoadRecords({path}).records) {
    newest = std::max(newest, loaded.record.environment.date);
  }
  return newest;
}

// The oldest first.
std::vector<std::string> RecordFiles(const std::string& folder) {
  std::vector<std::pair<std::string, std::string>> dated;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".jsonl" && entry.path().filename() != kNotesName) {
      const std::string path = entry.path().string();
      dated.emplace_back(NewestDate(path), path);
    }
  }
  std::sort(dated.begin(), dated.end());
  std::vector<std::string> files;
  for (auto& [date, path] : dated) files.push_back(std::move(path));
  return files;
}

}  // namespace

History::History(std::string folder) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (!fs::is_directory(folder_)) {
    Throw(ErrorCode::kUnavailable, "{}: is no folder and can't be made one", folder_);
  }
}

HistoryChange History::Append(const RecordSet& set) {
  std::map<std::string, std::vector<std::string>> files;
  for (const LoadedRecord& loaded : set.records) {
    files[FileNameOf(loaded.record.environment)].push_back(loaded.record.ToJsonLine());
  }
  const FolderLock lock(folder_);
  HistoryChange change;
  const std::string notes_path = (fs::path(folder_) / kNotesName).string();
  if (const std::vector<std::string> lines = set.notes.Lines(); !lines.empty()) {
    // A note that contradicts an older one must not get in.
    SeriesNotes notes = ParseRecords(ReadAll(notes_path), notes_path).notes;
    notes.Add(set.notes);
    AppendLines(notes_path, lines, change);
  }
  for (const auto& [name, lines] : files) {
    AppendLines((fs::path(folder_) / name).string(), lines, change);
  }
  Descriptor(folder_, O_RDONLY | O_DIRECTORY).Sync();  // new names
  return change;
}

std::vector<HistoryFile> History::List() const {
  std::vector<HistoryFile> files;
  for (const std::string& path : RecordFiles(folder_)) {
    const RecordSet set = LoadRecords({path});
    HistoryFile file;
    file.path = path;
    const std::string name = fs::path(path).stem().string();
    file.date = name.substr(0, name.find('_'));
    file.revision = name.substr(std::min(name.size(), name.find('_') + 1));
    file.records = set.records.size();
    file.series = BySeries(set).size();
    file.passed = static_cast<std::size_t>(
        std::count_if(set.records.begin(), set.records.end(),
                      [](const LoadedRecord& r) { return r.record.verdict().passed(); }));
    files.push_back(file);
  }
  return files;
}

std::vector<std::string> History::Prune(std::size_t keep, bool dry_run) {
  const FolderLock lock(folder_);
  std::vector<std::string> files = RecordFiles(folder_);
  files.resize(files.size() - std::min(files.size(), keep));
  if (dry_run) return files;
  for (const std::string& path : files) {
    if (unlink(path.c_str()) != 0) Fail(path, "can't be deleted");
  }
  Descriptor(folder_, O_RDONLY | O_DIRECTORY).Sync();
  return files;
}

}  // namespace xdna::reports
