#include "base/sha256.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.h"

namespace xdna {
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    Check(EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr));
  }
  void Add(const void* data, std::size_t bytes) {
    Check(EVP_DigestUpdate(context_.get(), data, bytes));
  }
  std::string Hex() {
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    Check(EVP_DigestFinal_ex(context_.get(), bytes, &n));
    return fmt::format("{:02x}", fmt::join(bytes, bytes + n, ""));
  }

 private:
  static void Check(int ok) {
    if (ok != 1) Throw(ErrorCode::kInternal, "libcrypto failed to compute a SHA-256");
  }
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::string Sha256(const void* data, std::size_t bytes) {
  Digest digest;
  digest.Add(data, bytes);
  return digest.Hex();
}

std::string Sha256OfFile(const std::string& path) {
  const std::unique_ptr<std::FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "rb"),
                                                                std::fclose);
  if (!file) Throw(ErrorCode::kNotFound, "{}: {}", path, std::strerror(errno));
  Digest digest;
  std::vector<char> buffer(1 << 20);
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), file.get()))
    digest.Add(buffer.data(), n);
  if (std::ferror(file.get()) != 0)
    Throw(ErrorCode::kUnavailable, "{}: {}", path, std::strerror(errno));
  return digest.Hex();
}

}  // namespace xdna
