// JSON that anybody may have written: taken field by field, and refused by name.
#ifndef BENCH_STRICT_JSON_H_
#define BENCH_STRICT_JSON_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

namespace xdna::bench {

// Throws kCorrupt where `text` is longer than `most_bytes`, is not JSON, or has an object with the
// same key twice (most readers would let the last one win).
nlohmann::json ParseStrictJson(std::string_view text, std::size_t most_bytes);

// An object whose fields are taken one by one; what is left over is an error. All errors are
// kCorrupt and begin with the field's path. `json` must outlive it.
class JsonFields {
 public:
  // `path` is the object's own in messages; empty for the outermost.
  JsonFields(const nlohmann::json& json, std::string path);

  bool Has(const std::string& name) const { return json_.contains(name); }
  std::string PathOf(const std::string& name) const;

  // Each throws where the field is missing or of another type.
  const nlohmann::json& Take(const std::string& name);
  std::string Text(const std::string& name);
  double Number(const std::string& name);  // finite
  bool Flag(const std::string& name);
  std::int64_t Integer(const std::string& name, std::int64_t least, std::int64_t most);
  std::map<std::string, double> Numbers(const std::string& name);
  std::map<std::string, std::string> Texts(const std::string& name);

  static double NumberIn(const nlohmann::json& value, const std::string& path);

  // `where` follows "no such field" in the message: " in version 1".
  void ExpectNoMore(std::string_view where = "") const;

 private:
  const nlohmann::json& json_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

// A value as a message shows it.
std::string ShownJson(const nlohmann::json& value);

}  // namespace xdna::bench

#endif  // BENCH_STRICT_JSON_H_
