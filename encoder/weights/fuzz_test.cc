// Thousands of files with a few changed bytes: each is read to the end or ends in an Error, never
// in a crash, a hang or another exception. Same seed, same files.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/model.h"
#include "encoder/weights/test_files.h"

// HDF5 1.10 itself loses memory over some damaged files. Read by LeakSanitizer where it is linked.
// NOLINTBEGIN(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5_serial"; }
// NOLINTEND(bugprone-reserved-identifier)

namespace xdna::encoder {
namespace {

using test::Tiny;

// Places near the text of names and keys: what is not weights.
std::vector<std::size_t> Structure(const std::string& content) {
  std::vector<std::size_t> places = {0};
  for (const char* word : {"encoder", "decoder", "weight", "bias", "gamma", "shape", "offsets"}) {
    for (std::size_t at = content.find(word); at != std::string::npos;
         at = content.find(word, at + 1)) {
      places.push_back(at);
    }
  }
  return places;
}

class Mutator {
 public:
  Mutator(std::string content, std::uint64_t seed)
      : content_(std::move(content)), structure_(Structure(content_)), random_(seed) {}

  std::string Next() {
    std::string spoiled = content_;
    for (std::uint64_t n = 1 + Below(3); n > 0; --n) Spoil(spoiled);
    return spoiled;
  }

 private:
  std::uint64_t Below(std::uint64_t limit) { return random_() % limit; }

  void Spoil(std::string& content) {
    const bool anywhere = Below(4) == 0;
    std::size_t place =
        anywhere ? Below(content.size()) : structure_[Below(structure_.size())] + Below(96);
    if (!anywhere) place = place < 48 ? place : place - 48;
    place = std::min(place, content.size() - 8);
    switch (Below(4)) {
      case 0:
        content[place] = static_cast<char>(random_());
        break;
      case 1:
        content[place] = static_cast<char>(content[place] ^ 1 << Below(8));
        break;
      case 2: {
        const std::uint32_t extremes[] = {0, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0x10000, 1};
        std::memcpy(&content[place], &extremes[Below(std::size(extremes))], 4);
        break;
      }
      default: {
        const std::size_t from = Below(content.size() - 8);
        std::memmove(&content[place], &content[from], 1 + Below(8));
      }
    }
  }

  const std::string content_;
  const std::vector<std::size_t> structure_;
  std::mt19937_64 random_;
};

void Fuzz(const std::string& content, int files) {
  Mutator mutator(content, 20240817);
  const std::string path = test::WriteFile("fuzz", content);
  int read = 0;
  for (int i = 0; i < files; ++i) {
    test::WriteFile("fuzz", mutator.Next());
    try {
      const Model model = Model::Open(path);
      for (const TensorInfo& info : model.tensors()) {
        EXPECT_EQ(model.Load(info.name).shape(), info.shape);
      }
      ++read;
    } catch (const Error& error) {
      ASSERT_EQ(error.message().find('\n'), std::string::npos) << error.message();
      ASSERT_NE(error.message().find(path), std::string::npos) << error.message();
    }
  }
  ::testing::Test::RecordProperty("read", read);
  EXPECT_LT(read, files) << "no mutation did any harm: the test tests nothing";
}

TEST(Fuzz, CTranslate2) {
  Fuzz(test::CTranslate2File(test::CTranslate2Tensors(Tiny(), "f16")), 1000);
}
TEST(Fuzz, CTranslate2Int8) {
  Fuzz(test::CTranslate2File(test::CTranslate2Tensors(Tiny(), "i8")), 1000);
}
TEST(Fuzz, Safetensors) {
  Fuzz(test::SafetensorsFile(test::SafetensorsTensors(Tiny(), "f16")), 1000);
}
TEST(Fuzz, Ggml) {
  Fuzz(test::GgmlFile(test::TinyGeometry(), test::GgmlTensors(Tiny(), "q5_1")), 1000);
}
TEST(Fuzz, Canonical) {
  const std::string path = ::testing::TempDir() + "fuzz.h5";
  WriteCanonical(Tiny(), path, DType::kF16);
  Fuzz(test::ReadFile(path), 600);
}

}  // namespace
}  // namespace xdna::encoder
