// Standard input as a file that can be read twice.
#ifndef TOOLS_TRANSCRIBE_STANDARD_INPUT_H_
#define TOOLS_TRANSCRIBE_STANDARD_INPUT_H_

#include <cstdio>
#include <memory>
#include <string>

namespace xdna::transcribe {

// A copy on disk that is gone with this object, whatever happens to the program.
class StandardInput {
 public:
  // Reads standard input to its end. Throws kInvalidArgument where that is a terminal, kUnavailable
  // where it can't be read or copied.
  StandardInput();

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::unique_ptr<std::FILE, Close> file_;
  std::string path_;
};

}  // namespace xdna::transcribe

#endif  // TOOLS_TRANSCRIBE_STANDARD_INPUT_H_
