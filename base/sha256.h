#ifndef BASE_SHA256_H_
#define BASE_SHA256_H_

#include <cstddef>
#include <string>

namespace xdna {

// SHA-256 as 64 lower-case hexadecimal digits.
std::string Sha256(const void* data, std::size_t bytes);

// Of a whole file, read in pieces. Throws kNotFound if it can't be opened.
std::string Sha256OfFile(const std::string& path);

}  // namespace xdna

#endif  // BASE_SHA256_H_
