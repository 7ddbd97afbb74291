#ifndef DECODER_TEXT_COMPRESSION_H_
#define DECODER_TEXT_COMPRESSION_H_

#include <string_view>

namespace xdna::decoder {

// Bytes of `text` over bytes that zlib makes of it at its default level: high for text that repeats
// itself (openai-whisper rejects over 2.4). 0 for no text.
double CompressionRatio(std::string_view text);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_COMPRESSION_H_
