#include "decoder/text/compression.h"

#include <zlib.h>

#include <vector>

#include "base/error.h"

namespace xdna::decoder {

double CompressionRatio(std::string_view text) {
  uLongf bytes = compressBound(text.size());
  std::vector<Bytef> packed(bytes);
  const int status = compress(packed.data(), &bytes, reinterpret_cast<const Bytef*>(text.data()),
                              static_cast<uLong>(text.size()));
  if (status != Z_OK) Throw(ErrorCode::kInternal, "zlib: {}", zError(status));
  return static_cast<double>(text.size()) / static_cast<double>(bytes);
}

}  // namespace xdna::decoder
