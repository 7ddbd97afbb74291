#include "bench/strict_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/suggest.h"

namespace xdna::bench {
namespace {

using Json = nlohmann::json;

template <typename... Args>
[[noreturn]] void Fail(const std::string& field, fmt::format_string<Args...> why, Args&&... args) {
  Throw(ErrorCode::kCorrupt, "{}: {}", field, fmt::format(why, std::forward<Args>(args)...));
}

// The library's message without its "[json.exception.parse_error.101] ", on one printable line.
std::string ParserMessage(std::string_view what) {
  const std::size_t text = std::min(what.find("] ") + 2, what.size());
  std::string shown(what.substr(text, 160));
  for (char& c : shown) c = c >= ' ' && c <= '~' ? c : '?';
  return shown;
}

}  // namespace

std::string ShownJson(const Json& value) {
  return Quoted(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json ParseStrictJson(std::string_view text, std::size_t most_bytes) {
  if (text.size() > most_bytes) {
    Fail("line", "{} bytes, expected at most {}", text.size(), most_bytes);
  }
  std::vector<std::set<std::string>> keys;
  std::optional<std::string> twice;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(text, watch);
  } catch (const Json::exception& error) {
    Fail("line", "not JSON: {}", ParserMessage(error.what()));
  }
  if (twice) Fail(Quoted(*twice), "there twice");
  return json;
}

JsonFields::JsonFields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
  if (!json.is_object()) {
    Fail(path_.empty() ? "line" : path_, "{} is not an object", ShownJson(json));
  }
}

std::string JsonFields::PathOf(const std::string& name) const {
  return path_.empty() ? name : path_ + "." + name;
}

const Json& JsonFields::Take(const std::string& name) {
  taken_.insert(name);
  const auto it = json_.find(name);
  if (it == json_.end()) Fail(PathOf(name), "missing");
  return *it;
}

std::string JsonFields::Text(const std::string& name) {
  const Json& value = Take(name);
  if (!value.is_string()) Fail(PathOf(name), "{} is not a string", ShownJson(value));
  return value.get<std::string>();
}

double JsonFields::Number(const std::string& name) { return NumberIn(Take(name), PathOf(name)); }

bool JsonFields::Flag(const std::string& name) {
  const Json& value = Take(name);
  if (!value.is_boolean()) Fail(PathOf(name), "{} is not true or false", ShownJson(value));
  return value.get<bool>();
}

std::int64_t JsonFields::Integer(const std::string& name, std::int64_t least, std::int64_t most) {
  const Json& value = Take(name);
  const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= INT64_MAX
                                               : value.is_number_integer();
  if (!fits || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
    Fail(PathOf(name), "{} is not an integer from {} to {}", ShownJson(value), least, most);
  }
  return value.get<std::int64_t>();
}

std::map<std::string, double> JsonFields::Numbers(const std::string& name) {
  std::map<std::string, double> numbers;
  const JsonFields inner(Take(name), PathOf(name));
  for (const auto& [key, value] : inner.json_.items()) {
    numbers[key] = NumberIn(value, inner.PathOf(key));
  }
  return numbers;
}

std::map<std::string, std::string> JsonFields::Texts(const std::string& name) {
  std::map<std::string, std::string> texts;
  JsonFields inner(Take(name), PathOf(name));
  for (const auto& [key, value] : inner.json_.items()) texts[key] = inner.Text(key);
  return texts;
}

double JsonFields::NumberIn(const Json& value, const std::string& path) {
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    Fail(path, "{} is not a finite number", ShownJson(value));
  }
  return value.get<double>();
}

void JsonFields::ExpectNoMore(std::string_view where) const {
  const std::vector<std::string> known(taken_.begin(), taken_.end());
  for (const auto& [name, value] : json_.items()) {
    if (taken_.count(name) == 0) {
      Fail(PathOf(Quoted(name)), "no such field{};{}", where, Suggest(name, known));
    }
  }
}

}  // namespace xdna::bench
