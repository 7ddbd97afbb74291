#include "encoder/audio/container.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace xdna::encoder {
namespace {

// Sizes left by writers to a pipe: FFmpeg, others, arecord, SoX.
constexpr std::array<std::uint64_t, 4> kPlaceholders = {0xFFFFFFFF, 0x7FFFFFFF, 0x80000000,
                                                        0x7FFFF000};

// A file read forwards, integers in the byte order of its container.
class Reader {
 public:
  Reader(const std::string& path, std::uint64_t bytes)
      : file_(path, std::ios::binary), bytes_(bytes) {}

  std::string Tag() {
    std::string tag(4, '\0');
    file_.read(tag.data(), 4);
    return tag;
  }
  std::uint64_t Integer(std::size_t width) {
    std::array<unsigned char, 8> raw{};
    file_.read(reinterpret_cast<char*>(raw.data()), static_cast<std::streamsize>(width));
    if (!big_endian_) std::reverse(raw.begin(), raw.begin() + width);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | raw[i];
    return value;
  }
  void set_big_endian(bool big) { big_endian_ = big; }
  // Goes to `position`; false past the end of the file or after a failed read.
  bool Seek(std::uint64_t position) {
    if (!file_ || position > bytes_) return false;
    file_.seekg(static_cast<std::streamoff>(position));
    return true;
  }
  // Of `size` bytes claimed to be at `start`; the first `skip` of them are not audio.
  std::optional<DataSize> Data(std::uint64_t size, std::uint64_t start, std::uint64_t skip) {
    if (!file_ || start + skip > bytes_ || size < skip) return {};
    if (std::ranges::count(kPlaceholders, size) != 0) return {};
    return DataSize{size - skip, bytes_ - start - skip};
  }

 private:
  std::ifstream file_;
  std::uint64_t bytes_;
  bool big_endian_ = false;
};

// Walks the chunks [tag, 32-bit size, payload padded to even] to the one that holds the audio,
// after `skip` bytes of its own.
std::optional<DataSize> FindChunk(Reader& reader, std::string_view audio_tag, std::uint64_t skip) {
  std::uint64_t size_of_data = 0;  // RF64 keeps it in an earlier chunk
  for (std::uint64_t at = 12; reader.Seek(at);) {
    const std::string tag = reader.Tag();
    const std::uint64_t size = reader.Integer(4);
    const std::uint64_t payload = at + 8;
    if (tag == audio_tag) {
      const bool in_ds64 = size == 0xFFFFFFFF && size_of_data != 0;
      return reader.Data(in_ds64 ? size_of_data : size, payload, skip);
    }
    if (tag == "ds64") {
      reader.Integer(8);  // of the whole file
      size_of_data = reader.Integer(8);
    }
    at = payload + size + size % 2;
  }
  return {};
}

}  // namespace

std::optional<DataSize> FindDataSize(const std::string& path) {
  std::error_code error;
  const std::uint64_t bytes = std::filesystem::file_size(path, error);
  if (error) return {};
  Reader reader(path, bytes);
  const std::string tag = reader.Tag();
  if (tag == "RIFF" || tag == "RF64") return FindChunk(reader, "data", 0);
  reader.set_big_endian(true);
  if (tag == "RIFX") return FindChunk(reader, "data", 0);
  if (tag == "FORM") return FindChunk(reader, "SSND", 8);
  if (tag != ".snd") return {};
  const std::uint64_t start = reader.Integer(4);
  return reader.Data(reader.Integer(4), start, 0);
}

}  // namespace xdna::encoder
