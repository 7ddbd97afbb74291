#include "encoder/weights/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace xdna::encoder::internal {

Bytes Cursor::Take(std::uint64_t bytes, std::string_view what) {
  if (bytes > left()) {
    Throw(ErrorCode::kCorrupt, "truncated: {} takes {} bytes at offset {}, the file has {} left",
          what, bytes, offset_, left());
  }
  const Bytes piece = file_.subspan(offset_, bytes);
  offset_ += bytes;
  return piece;
}

std::string Printable(std::string_view text) {
  constexpr std::size_t kLongest = 100;
  std::string result;
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7F) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return text.size() > kLongest ? result + "..." : result;
}

void UniqueNames::Add(std::string_view name) {
  if (names_.size() >= kMaxTensors) {
    Throw(ErrorCode::kCorrupt, "more than {} tensors; a Whisper model has some hundreds",
          kMaxTensors);
  }
  if (!names_.emplace(name).second) {
    Throw(ErrorCode::kCorrupt, "tensor '{}' is there twice", Printable(name));
  }
}

void CheckTied(const StoredTensor& embedding, const StoredTensor& projection) {
  if (embedding.data.data() == projection.data.data()) return;
  if (embedding.info.dtype != projection.info.dtype ||
      embedding.info.shape != projection.info.shape ||
      !std::ranges::equal(embedding.data, projection.data) ||
      !std::ranges::equal(embedding.scale, projection.scale)) {
    Throw(ErrorCode::kUnsupported,
          "{} is not the token embedding; only models that tie the two, as Whisper does, are read",
          projection.info.name);
  }
}

}  // namespace xdna::encoder::internal
