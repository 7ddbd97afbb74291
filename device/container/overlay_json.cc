#include "device/container/overlay_json.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/container/kernel_set.h"

namespace xdna::device {
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "xdna-overlay";
constexpr std::size_t kMaxItems = 65536;  // of any list
constexpr int kMaxDepth = 16;             // of loops in loops

// Each Describe() names the fields of a structure once, for writing and for reading.

template <typename Archive>
void Describe(Archive& a, Tile& tile) {
  a("col", tile.col);
  a("row", tile.row);
}

template <typename Archive>
void Describe(Archive& a, Dim& dim) {
  a("count", dim.count);
  a("step", dim.step);
  a("zeros_before", dim.zeros_before);
  a("zeros_after", dim.zeros_after);
}

template <typename Archive>
void Describe(Archive& a, Pattern& pattern) {
  a("engine", pattern.engine, {"core", "mem", "shim"});
  a("sends", pattern.sends);
  a("element_bytes", pattern.element_bytes);
  a("dims", pattern.dims);
  a("iteration", pattern.iteration);
}

template <typename Archive>
void Describe(Archive& a, Buffer& buffer) {
  a("name", buffer.name);
  a("tile", buffer.tile);
  a("bytes", buffer.bytes);
  a("address", buffer.address);
}

template <typename Archive>
void Describe(Archive& a, Lock& lock) {
  a("name", lock.name);
  a("tile", lock.tile);
  a("id", lock.id);
  a("initial", lock.initial);
}

template <typename Archive>
void Describe(Archive& a, LockUse& use) {
  a("lock", use.lock);
  a("value", use.value);
}

template <typename Archive>
void Describe(Archive& a, Descriptor& descriptor) {
  a("tile", descriptor.tile);
  a("id", descriptor.id);
  a("buffer", descriptor.buffer);
  a("offset", descriptor.offset);
  a("bytes", descriptor.bytes);
  a("pattern", descriptor.pattern);
  a("acquire", descriptor.acquire);
  a("release", descriptor.release);
  a("next", descriptor.next);
}

template <typename Archive>
void Describe(Archive& a, Channel& channel) {
  a("tile", channel.tile);
  a("sends", channel.sends);
  a("index", channel.index);
  a("first", channel.first);
}

template <typename Archive>
void Describe(Archive& a, Route& route) {
  a("from", route.from);
  a("to", route.to);
  a("packet_id", route.packet_id);
}

template <typename Archive>
void Describe(Archive& a, Value& value) {
  a("kind", value.kind, {"constant", "rtp", "first", "last", "index"});
  a("number", value.number);
}

template <typename Archive>
void Describe(Archive& a, Argument& argument) {
  a("kind", argument.kind, {"number", "buffer", "object", "null"});
  a("number", argument.number);
  a("index", argument.index);
  a("object", argument.object);
  a("offset", argument.offset);
}

template <typename Archive>
void Describe(Archive& a, Statement& statement) {
  a("kind", statement.kind, {"acquire", "release", "acquire_lock", "release_lock", "call", "loop"});
  a("index", statement.index);
  a("count", statement.count);
  a("kernel", statement.kernel);
  a("arguments", statement.arguments);
  a("times", statement.times);
  a("body", statement.body);
}

template <typename Archive>
void Describe(Archive& a, Port& port) {
  a("name", port.name);
  a("buffers", port.buffers);
  a("acquire", port.acquire);
  a("release", port.release);
}

template <typename Archive>
void Describe(Archive& a, Program& program) {
  a("tile", program.tile);
  a("ports", program.ports);
  a("body", program.body);
  a("rtps", program.rtps);
  a("stack_bytes", program.stack_bytes);
  a("program_bytes", program.program_bytes);
}

template <typename Archive>
void Describe(Archive& a, Overlay& overlay) {
  a("name", overlay.name);
  a("buffers", overlay.buffers);
  a("locks", overlay.locks);
  a("descriptors", overlay.descriptors);
  a("channels", overlay.channels);
  a("routes", overlay.routes);
  a("programs", overlay.programs);
  a("alternatives", overlay.alternatives);
}

template <typename Archive>
void Describe(Archive& a, KernelUse& use) {
  a("name", use.name);
  a("pointers", use.pointers);
  a("numbers", use.numbers);
}

using Names = std::initializer_list<const char*>;

class Writer {
 public:
  template <typename T>
  void operator()(const char* key, T& field) {
    json_[key] = Write(field);
  }
  template <typename T>
  void operator()(const char* key, T& field, Names names) {
    json_[key] = names.begin()[static_cast<std::size_t>(field)];
  }

  template <typename T>
  static Json Write(T& field) {
    if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
      return Json(field);
    } else {
      Writer writer;
      Describe(writer, field);
      return std::move(writer.json_);
    }
  }
  template <typename T>
  static Json Write(std::vector<T>& fields) {
    Json list = Json::array();
    for (T& field : fields) list.push_back(Write(field));
    return list;
  }

 private:
  Json json_ = Json::object();
};

class Reader {
 public:
  Reader(const Json& json, std::string path, int depth)
      : json_(json), path_(std::move(path)), depth_(depth) {
    if (!json.is_object()) Fail(path_, "an object", json);
    if (depth > kMaxDepth) {
      Throw(ErrorCode::kCorrupt, "{}: nested more than {} deep", path_, kMaxDepth);
    }
  }

  template <typename T>
  void operator()(const char* key, T& field) {
    Read(At(key), fmt::format("{}.{}", path_, key), field);
  }

  template <typename T>
  void operator()(const char* key, T& field, Names names) {
    std::string name;
    (*this)(key, name);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (name == names.begin()[i]) {
        field = static_cast<T>(i);
        return;
      }
    }
    Throw(ErrorCode::kCorrupt, "{}.{}: '{}' is none of {}", path_, key, name,
          fmt::join(names, ", "));
  }

  // Whatever was not asked for is an error.
  void CheckAllRead() const {
    for (const auto& item : json_.items()) {
      if (!read_.contains(item.key())) {
        Throw(ErrorCode::kCorrupt, "{}: unknown field '{}'", path_, item.key());
      }
    }
  }

 private:
  [[noreturn]] static void Fail(const std::string& path, const std::string& expected,
                                const Json& found) {
    Throw(ErrorCode::kCorrupt, "{}: {} where {} is due", path, found.type_name(), expected);
  }

  const Json& At(const char* key) {
    const auto found = json_.find(key);
    if (found == json_.end()) Throw(ErrorCode::kCorrupt, "{}.{}: missing", path_, key);
    read_.insert(key);
    return *found;
  }

  void Read(const Json& json, const std::string& path, std::string& field) {
    if (!json.is_string()) Fail(path, "a string", json);
    field = json.get<std::string>();
  }
  void Read(const Json& json, const std::string& path, bool& field) {
    if (!json.is_boolean()) Fail(path, "a boolean", json);
    field = json.get<bool>();
  }
  template <typename T>
  void Read(const Json& json, const std::string& path, T& field) {
    if constexpr (std::is_integral_v<T>) {
      ReadInteger(json, path, field);
    } else {
      Reader reader(json, path, depth_ + 1);
      Describe(reader, field);
      reader.CheckAllRead();
    }
  }
  template <typename T>
  void Read(const Json& json, const std::string& path, std::vector<T>& fields) {
    if (!json.is_array()) Fail(path, "a list", json);
    if (json.size() > kMaxItems) {
      Throw(ErrorCode::kCorrupt, "{}: {} items, at most {}", path, json.size(), kMaxItems);
    }
    fields.resize(json.size());
    for (std::size_t i = 0; i < json.size(); ++i) {
      Read(json[i], fmt::format("{}[{}]", path, i), fields[i]);
    }
  }

  template <typename T>
  void ReadInteger(const Json& json, const std::string& path, T& field) {
    constexpr T kMin = std::numeric_limits<T>::min();
    constexpr T kMax = std::numeric_limits<T>::max();
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<std::uint64_t>())
                          : json.is_number_integer() && std::in_range<T>(json.get<std::int64_t>());
    if (!json.is_number_integer()) Fail(path, "an integer", json);
    if (!fits) {
      Throw(ErrorCode::kCorrupt, "{}: {} is not from {} to {}", path, json.dump(), kMin, kMax);
    }
    field = json.get<T>();
  }

  const Json& json_;
  std::string path_;
  int depth_;
  std::set<std::string, std::less<>> read_;
};

void CheckKernels(const std::vector<KernelUse>& listed, const Overlay& overlay) {
  const auto text = [](const std::vector<KernelUse>& kernels) {
    std::vector<std::string> parts;
    for (const KernelUse& one : kernels) {
      parts.push_back(fmt::format("{}({}+{})", one.name, one.pointers, one.numbers));
    }
    return fmt::format("[{}]", fmt::join(parts, " "));
  };
  std::vector<KernelUse> called;
  try {
    called = KernelsOf(overlay);
  } catch (const Error& error) {
    Throw(ErrorCode::kCorrupt, "overlay.programs: {}", error.message());
  }
  if (listed == called) return;
  Throw(ErrorCode::kCorrupt, "overlay.kernels: {} where the cores call {}", text(listed),
        text(called));
}

}  // namespace

std::string EncodeOverlay(const Overlay& overlay) {
  Overlay copy = overlay;
  std::vector<KernelUse> kernels = KernelsOf(overlay);
  const Json json = {{"format", kFormat},
                     {"version", kOverlayVersion},
                     {"kernels", Writer::Write(kernels)},
                     {"overlay", Writer::Write(copy)}};
  return json.dump();
}

Overlay DecodeOverlay(std::string_view text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) Throw(ErrorCode::kCorrupt, "overlay: not JSON");
  Reader reader(json, "overlay", 0);
  std::string format;
  int version = 0;
  reader("format", format);
  reader("version", version);
  if (format != kFormat) {
    Throw(ErrorCode::kCorrupt, "overlay.format: '{}' where '{}' is due", format, kFormat);
  }
  if (version != kOverlayVersion) {
    Throw(ErrorCode::kCorrupt, "overlay.version: {}, this program reads {}", version,
          kOverlayVersion);
  }
  std::vector<KernelUse> kernels;
  Overlay overlay;
  reader("kernels", kernels);
  reader("overlay", overlay);
  reader.CheckAllRead();
  CheckKernels(kernels, overlay);
  return overlay;
}

}  // namespace xdna::device
