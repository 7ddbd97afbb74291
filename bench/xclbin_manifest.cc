#include "bench/xclbin_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <set>
#include <utility>

#include "base/error.h"
#include "bench/strict_json.h"
#include "bench/suggest.h"

namespace xdna::bench {
namespace {

using Json = nlohmann::json;
using Role = ManifestArgument::Role;
using Kind = DataSource::Kind;

constexpr std::size_t kMaxManifestBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxArguments = 32;
constexpr std::size_t kMaxRank = 8;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 30;
constexpr int kMaxIterations = 1'000'000;
constexpr std::pair<const char*, DType> kDTypes[] = {{"f32", DType::kF32},
                                                     {"bf16", DType::kBf16},
                                                     {"i8", DType::kI8},
                                                     {"u8", DType::kU8},
                                                     {"i32", DType::kI32}};
constexpr std::pair<const char*, Role> kRoles[] = {
    {"in", Role::kIn}, {"out", Role::kOut}, {"inout", Role::kInOut}};

template <typename... Args>
[[noreturn]] void Fail(const std::string& field, fmt::format_string<Args...> why, Args&&... args) {
  Throw(ErrorCode::kCorrupt, "{}: {}", field, fmt::format(why, std::forward<Args>(args)...));
}

// The value of a name in a table.
template <typename Value, std::size_t kSize>
Value Choose(JsonFields& fields, const std::string& field,
             const std::pair<const char*, Value> (&table)[kSize]) {
  const std::string text = fields.Text(field);
  std::vector<std::string> known;
  for (const auto& [name, value] : table) {
    if (text == name) return value;
    known.emplace_back(name);
  }
  Fail(fields.PathOf(field), "{};{}", Quoted(text), Suggest(text, known));
}

std::string NonEmpty(JsonFields& fields, const std::string& field) {
  std::string text = fields.Text(field);
  if (text.empty()) Fail(fields.PathOf(field), "empty");
  return text;
}

class Parser {
 public:
  explicit Parser(std::filesystem::path folder) : folder_(std::move(folder)) {}

  Manifest Parse(const Json& json) const {
    JsonFields fields(json, "");
    static_cast<void>(fields.Integer("version", kManifestVersion, kManifestVersion));
    Manifest manifest;
    manifest.name = NonEmpty(fields, "name");
    const auto bad = [](char c) { return c < ' ' || c > '~' || c == '/'; };
    if (std::ranges::any_of(manifest.name, bad)) {
      Fail("name", "{} is not printable text without '/'", Quoted(manifest.name));
    }
    manifest.xclbin = PathIn(fields, "xclbin");
    if (fields.Has("instructions")) manifest.instructions = PathIn(fields, "instructions");
    manifest.kernel = NonEmpty(fields, "kernel");
    manifest.arguments = Arguments(fields.Take("arguments"));
    if (fields.Has("iterations")) {
      manifest.iterations = static_cast<int>(fields.Integer("iterations", 1, kMaxIterations));
    }
    if (fields.Has("warm_up")) {
      manifest.warm_up = static_cast<int>(fields.Integer("warm_up", 0, kMaxIterations));
    }
    if (fields.Has("reuse")) manifest.reuse = ReuseOf(fields);
    if (fields.Has("flops")) manifest.flops = AtLeast(fields, "flops", 1);
    fields.ExpectNoMore();
    return manifest;
  }

 private:
  std::string PathIn(JsonFields& fields, const std::string& field) const {
    return (folder_ / NonEmpty(fields, field)).string();
  }

  static device::Reuse ReuseOf(JsonFields& fields) {
    try {
      return device::ParseReuse(fields.Text("reuse"));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kCorrupt) throw;
      Fail("reuse", "{}", error.message());
    }
  }

  static double AtLeast(JsonFields& fields, const std::string& field, double least) {
    const double value = fields.Number(field);
    if (value < least) Fail(fields.PathOf(field), "{} is less than {}", value, least);
    return value;
  }

  std::vector<ManifestArgument> Arguments(const Json& json) const {
    if (!json.is_array() || json.empty() || json.size() > kMaxArguments) {
      Fail("arguments", "{} is not a list of 1 to {}", ShownJson(json), kMaxArguments);
    }
    std::vector<ManifestArgument> arguments;
    std::set<std::string> names;
    bool result = false;
    for (std::size_t i = 0; i < json.size(); ++i) {
      const std::string path = fmt::format("arguments[{}]", i);
      arguments.push_back(json[i].is_null() ? ManifestArgument() : OneArgument(json[i], path));
      const ManifestArgument& last = arguments.back();
      if (last.role == Role::kUnused) continue;
      if (!names.insert(last.name).second) Fail(path + ".name", "'{}' is there twice", last.name);
      result = result || last.has_result();
    }
    if (!result) Fail("arguments", "none has the role out or inout: nothing could be verified");
    return arguments;
  }

  ManifestArgument OneArgument(const Json& json, const std::string& path) const {
    JsonFields fields(json, path);
    ManifestArgument argument;
    argument.name = NonEmpty(fields, "name");
    argument.role = Choose(fields, "role", kRoles);
    argument.shape = ShapeOf(fields.Take("shape"), fields.PathOf("shape"));
    argument.dtype = Choose(fields, "dtype", kDTypes);
    if (argument.has_data()) {
      argument.data = Source(fields.Take("data"), fields.PathOf("data"), /*generated=*/true);
    }
    if (argument.has_result()) {
      argument.expected =
          Source(fields.Take("expected"), fields.PathOf("expected"), /*generated=*/false);
      argument.tolerance = ToleranceOf(fields.Take("tolerance"), fields.PathOf("tolerance"));
    }
    fields.ExpectNoMore(fmt::format(" where the role is '{}'", fields.Text("role")));
    return argument;
  }

  static Shape ShapeOf(const Json& json, const std::string& path) {
    if (!json.is_array() || json.empty() || json.size() > kMaxRank) {
      Fail(path, "{} is not a list of 1 to {} sizes", ShownJson(json), kMaxRank);
    }
    Shape shape;
    std::int64_t elements = 1;
    for (const Json& size : json) {
      const bool whole = size.is_number_unsigned() && size.get<std::uint64_t>() >= 1 &&
                         size.get<std::uint64_t>() <= static_cast<std::uint64_t>(kMaxElements);
      if (!whole) Fail(path, "{} is not a size from 1 to {}", ShownJson(size), kMaxElements);
      shape.push_back(size.get<std::int64_t>());
      if (shape.back() > kMaxElements / elements) {
        Fail(path, "{} has more than {} elements", ShownJson(json), kMaxElements);
      }
      elements *= shape.back();
    }
    return shape;
  }

  // `generated`: may be random or constant too.
  DataSource Source(const Json& json, const std::string& path, bool generated) const {
    JsonFields fields(json, path);
    DataSource source;
    if (generated && fields.Has("random")) {
      source.kind = Kind::kRandom;
      source.seed = static_cast<std::uint64_t>(fields.Integer("random", 0, INT64_MAX));
    } else if (generated && fields.Has("constant")) {
      source.kind = Kind::kConstant;
      source.constant = fields.Number("constant");
    } else if (fields.Has("file")) {
      source.kind = Kind::kFile;
      source.path = PathIn(fields, "file");
    } else if (fields.Has("hdf5")) {
      source.kind = Kind::kHdf5;
      source.path = PathIn(fields, "hdf5");
      source.dataset = NonEmpty(fields, "dataset");
    } else {
      Fail(path, "{} has none of {}", ShownJson(json),
           generated ? "random, constant, file, hdf5" : "file, hdf5");
    }
    fields.ExpectNoMore();
    return source;
  }

  static golden::Tolerance ToleranceOf(const Json& json, const std::string& path) {
    JsonFields fields(json, path);
    golden::Tolerance tolerance;
    if (!fields.Has("absolute") && !fields.Has("relative")) {
      Fail(path, "neither absolute nor relative; 0 asks for equal elements");
    }
    if (fields.Has("absolute")) tolerance.absolute = AtLeast(fields, "absolute", 0);
    if (fields.Has("relative")) tolerance.relative = AtLeast(fields, "relative", 0);
    if (fields.Has("rel_l2")) tolerance.rel_l2 = AtLeast(fields, "rel_l2", 0);
    if (fields.Has("cosine")) tolerance.cosine = AtLeast(fields, "cosine", -1);
    if (fields.Has("bias")) tolerance.bias = AtLeast(fields, "bias", 0);
    tolerance.provenance = NonEmpty(fields, "provenance");
    fields.ExpectNoMore();
    return tolerance;
  }

  std::filesystem::path folder_;
};

}  // namespace

std::size_t ManifestArgument::bytes() const {
  return static_cast<std::size_t>(NumElements(shape)) * SizeOf(dtype);
}

Manifest ParseManifest(std::string_view text, const std::string& folder) {
  return Parser(folder).Parse(ParseStrictJson(text, kMaxManifestBytes));
}

Manifest ReadManifest(const std::string& path) {
  const std::vector<char> bytes = ReadBytes(path, kMaxManifestBytes);
  return WithContext(path, [&] {
    return ParseManifest({bytes.data(), bytes.size()},
                         std::filesystem::path(path).parent_path().string());
  });
}

}  // namespace xdna::bench
