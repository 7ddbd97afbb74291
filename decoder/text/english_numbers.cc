#include "decoder/text/english_numbers.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace xdna::decoder {
namespace {

// What a word says about numbers.
enum class Role {
  kNone,
  kZero,
  kOne,  // one to nineteen
  kOneSuffixed,
  kTen,  // twenty, thirty, ...
  kTenSuffixed,
  kMultiplier,
  kMultiplierSuffixed,
  kSign,      // minus, plus: before a number
  kCurrency,  // dollars, cents: after one
  kPercent,
  kPer,
  kAnd,
  kRepeat,  // double, triple
  kPoint,
};

struct Entry {
  Role role = Role::kNone;
  int value = 0;       // of ones and tens; of multipliers the power of ten; how often to repeat
  std::string suffix;  // "th", "s"; of signs and currencies the symbol
};

using Lexicon = std::map<std::string, Entry, std::less<>>;

Lexicon MakeLexicon() {
  constexpr const char* kOnes[] = {"one",     "two",       "three",    "four",     "five",
                                   "six",     "seven",     "eight",    "nine",     "ten",
                                   "eleven",  "twelve",    "thirteen", "fourteen", "fifteen",
                                   "sixteen", "seventeen", "eighteen", "nineteen"};
  constexpr const char* kTens[] = {"twent", "thirt",  "fort",  "fift",
                                   "sixt",  "sevent", "eight", "ninet"};
  constexpr std::pair<const char*, int> kMultipliers[] = {
      {"hundred", 2},     {"thousand", 3},     {"million", 6},      {"billion", 9},
      {"trillion", 12},   {"quadrillion", 15}, {"quintillion", 18}, {"sextillion", 21},
      {"septillion", 24}, {"octillion", 27},   {"nonillion", 30},   {"decillion", 33}};
  Lexicon words = {
      {"o", {Role::kZero, 0, ""}},
      {"oh", {Role::kZero, 0, ""}},
      {"zero", {Role::kZero, 0, ""}},
      {"zeroth", {Role::kOneSuffixed, 0, "th"}},
      {"first", {Role::kOneSuffixed, 1, "st"}},
      {"second", {Role::kOneSuffixed, 2, "nd"}},
      {"third", {Role::kOneSuffixed, 3, "rd"}},
      {"fifth", {Role::kOneSuffixed, 5, "th"}},
      {"twelfth", {Role::kOneSuffixed, 12, "th"}},
      {"sixes", {Role::kOneSuffixed, 6, "s"}},
      {"minus", {Role::kSign, 0, "-"}},
      {"negative", {Role::kSign, 0, "-"}},
      {"plus", {Role::kSign, 0, "+"}},
      {"positive", {Role::kSign, 0, "+"}},
      {"pound", {Role::kCurrency, 0, "£"}},
      {"pounds", {Role::kCurrency, 0, "£"}},
      {"euro", {Role::kCurrency, 0, "€"}},
      {"euros", {Role::kCurrency, 0, "€"}},
      {"dollar", {Role::kCurrency, 0, "$"}},
      {"dollars", {Role::kCurrency, 0, "$"}},
      {"cent", {Role::kCurrency, 0, "¢"}},
      {"cents", {Role::kCurrency, 0, "¢"}},
      {"percent", {Role::kPercent, 0, "%"}},
      {"per", {Role::kPer, 0, ""}},
      {"and", {Role::kAnd, 0, ""}},
      {"point", {Role::kPoint, 0, ""}},
      {"double", {Role::kRepeat, 2, ""}},
      {"triple", {Role::kRepeat, 3, ""}},
  };
  int value = 0;
  for (const std::string name : kOnes) {
    words[name] = {Role::kOne, ++value, ""};
    if (value != 6) words[name + "s"] = {Role::kOneSuffixed, value, "s"};
    if (value > 3 && value != 5 && value != 12) {
      words[name + (name.ends_with('t') ? "h" : "th")] = {Role::kOneSuffixed, value, "th"};
    }
  }
  value = 10;
  for (const std::string stem : kTens) {
    value += 10;
    words[stem + "y"] = {Role::kTen, value, ""};
    words[stem + "ies"] = {Role::kTenSuffixed, value, "s"};
    words[stem + "ieth"] = {Role::kTenSuffixed, value, "th"};
  }
  for (const auto& [name, power] : kMultipliers) {
    words[name] = {Role::kMultiplier, power, ""};
    words[std::string(name) + "s"] = {Role::kMultiplierSuffixed, power, "s"};
    words[std::string(name) + "th"] = {Role::kMultiplierSuffixed, power, "th"};
  }
  return words;
}

const Entry& Lookup(const std::string& word) {
  static const Lexicon lexicon = MakeLexicon();
  static const Entry none;
  const auto found = lexicon.find(word);
  return found == lexicon.end() ? none : found->second;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool AllDigits(std::string_view text) { return std::all_of(text.begin(), text.end(), IsDigit); }

// Digits, with or without a point and more digits.
bool IsNumeric(std::string_view text) {
  const std::size_t point = text.find('.');
  if (point == std::string_view::npos) return !text.empty() && AllDigits(text);
  return point > 0 && point + 1 < text.size() && AllDigits(text.substr(0, point)) &&
         AllDigits(text.substr(point + 1));
}

// A whole number without leading zeros, or text that a number is growing in ("20", "2.", "007").
struct Number {
  bool whole = true;
  std::string digits;

  // No digits yet as far as joining goes: Python's `value or ""`.
  std::string OrNothing() const { return whole && digits == "0" ? "" : digits; }
  bool EndsWithZeros(std::size_t count) const {
    return digits == "0" || digits.find_last_not_of('0') + count < digits.size();
  }
};

std::string WithoutLeadingZeros(const std::string& digits) {
  const std::size_t first = digits.find_first_not_of('0');
  return first == std::string::npos ? "0" : digits.substr(first);
}

// The sum of two whole numbers.
std::string Add(std::string a, std::string b) {
  if (a.size() < b.size()) std::swap(a, b);
  b.insert(0, a.size() - b.size(), '0');
  int carry = 0;
  for (std::size_t i = a.size(); i-- > 0;) {
    carry += (a[i] - '0') + (b[i] - '0');
    a[i] = static_cast<char>('0' + carry % 10);
    carry /= 10;
  }
  return carry > 0 ? "1" + a : a;
}

// A whole number times 10^power, where only its last three digits are multiplied: "three thousand
// two" times hundred is 3200.
std::string Multiply(const std::string& whole, int power) {
  const std::size_t split = whole.size() - std::min<std::size_t>(3, whole.size());
  const std::string before = split == 0 ? "0" : whole.substr(0, split) + "000";
  return WithoutLeadingZeros(
      Add(before, whole.substr(split) + std::string(static_cast<std::size_t>(power), '0')));
}

// Growing text times 10^power; nothing if it is no number or the product not whole.
std::optional<std::string> MultiplyDecimal(const std::string& text, int power) {
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string whole = text.substr(0, point);
  std::string fraction = point < text.size() ? text.substr(point + 1) : "";
  if (!AllDigits(whole) || !AllDigits(fraction) || whole.size() + fraction.size() == 0) {
    return std::nullopt;
  }
  fraction.erase(fraction.find_last_not_of('0') + 1);
  if (fraction.size() > static_cast<std::size_t>(power)) return std::nullopt;
  fraction.resize(static_cast<std::size_t>(power), '0');
  return WithoutLeadingZeros(whole + fraction);
}

// The currency or sign that the word begins with; empty if none.
std::string_view PrefixOf(std::string_view word) {
  for (const std::string_view prefix : {"-", "+", "£", "€", "$", "¢"}) {
    if (word.starts_with(prefix)) return prefix;
  }
  return "";
}

// Reads words in order; `value_` is the number that is being put together.
class Joiner {
 public:
  explicit Joiner(const std::vector<std::string>& words) : words_(words) {}

  std::vector<std::string> Run() {
    for (at_ = 0; at_ < words_.size(); ++at_) Read(words_[at_]);
    FlushValue();
    return std::move(out_);
  }

 private:
  void Read(const std::string& word) {
    const std::string_view prefix = PrefixOf(word);
    if (IsNumeric(std::string_view{word}.substr(prefix.size()))) {
      ReadDigits(word, prefix);
      return;
    }
    const Entry& entry = Lookup(word);
    switch (entry.role) {
      case Role::kNone:
        FlushValue();
        Output(word);
        return;
      case Role::kZero:
        value_ = Number{false, OrNothing() + "0"};
        return;
      case Role::kOne:
        value_ = WithOnes(entry.value);
        return;
      case Role::kOneSuffixed:
        Output(WithOnes(entry.value).digits + entry.suffix);
        return;
      case Role::kTen:
        value_ = WithTens(entry.value);
        return;
      case Role::kTenSuffixed:
        Output(WithTens(entry.value).digits + entry.suffix);
        return;
      case Role::kMultiplier:
        ReadMultiplier(entry.value);
        return;
      case Role::kMultiplierSuffixed:
        ReadMultiplierSuffixed(entry);
        return;
      default:
        ReadSpecial(word, entry);
    }
  }

  void ReadDigits(const std::string& word, std::string_view prefix) {
    const std::string digits = word.substr(prefix.size());
    if (value_ && !value_->whole && value_->digits.ends_with('.')) {
      value_->digits += word;  // decimals, or the next part of an IP address
      return;
    }
    FlushValue();
    if (!prefix.empty()) prefix_ = prefix;
    const std::optional<std::string> whole = MultiplyDecimal(digits, 0);
    value_ = whole ? Number{true, *whole} : Number{false, digits};
  }

  // The value with a number below twenty after it: added to round numbers, else appended.
  Number WithOnes(int ones) const {
    const std::string text = std::to_string(ones);
    if (!value_) return {true, text};
    const Role before = Previous().role;
    if (!value_->whole || before == Role::kOne) {
      std::string digits = value_->digits;
      if (before == Role::kTen && ones < 10 && digits.ends_with('0')) digits.pop_back();
      return {false, digits + text};
    }
    if (value_->EndsWithZeros(ones < 10 ? 1 : 2)) return {true, Add(value_->digits, text)};
    return {false, value_->digits + text};
  }

  Number WithTens(int tens) const {
    const std::string text = std::to_string(tens);
    if (!value_) return {true, text};
    if (value_->whole && value_->EndsWithZeros(2)) return {true, Add(value_->digits, text)};
    return {false, value_->digits + text};
  }

  void ReadMultiplier(int power) {
    const std::string multiplier = Multiply("1", power);
    if (!value_) {
      value_ = Number{true, multiplier};
    } else if (!value_->whole) {
      const std::optional<std::string> product = MultiplyDecimal(value_->digits, power);
      if (!product) FlushValue();
      value_ = Number{true, product.value_or(multiplier)};
    } else {
      value_->digits = Multiply(value_->digits, power);
    }
  }

  void ReadMultiplierSuffixed(const Entry& entry) {
    std::string number = Multiply("1", entry.value);
    if (value_ && value_->whole) {
      number = Multiply(value_->digits, entry.value);
    } else if (value_) {
      const std::optional<std::string> product = MultiplyDecimal(value_->digits, entry.value);
      if (!product) FlushValue();
      number = product.value_or(number);
    }
    Output(number + entry.suffix);
  }

  void ReadSpecial(const std::string& word, const Entry& entry) {
    const std::string* next = at_ + 1 < words_.size() ? &words_[at_ + 1] : nullptr;
    const Role next_role = next != nullptr ? Lookup(*next).role : Role::kNone;
    const bool number_follows = next_role != Role::kNone || (next != nullptr && IsNumeric(*next));
    const auto plain = [&] {
      FlushValue();
      Output(word);
    };
    if (entry.role == Role::kSign) {
      FlushValue();
      if (number_follows) {
        prefix_ = entry.suffix;
      } else {
        Output(word);
      }
    } else if (entry.role == Role::kCurrency) {
      if (value_) prefix_ = entry.suffix;
      Output(value_ ? value_->digits : word);
    } else if (entry.role == Role::kPercent && value_) {
      Output(value_->digits + entry.suffix);
    } else if (entry.role == Role::kPer && value_ && next != nullptr && *next == "cent") {
      Output(value_->digits + "%");
      ++at_;
    } else if (entry.role == Role::kPercent || entry.role == Role::kPer || !number_follows) {
      plain();
    } else if (entry.role == Role::kAnd) {
      if (Previous().role != Role::kMultiplier) plain();  // else "two hundred and one"
    } else if (entry.role == Role::kRepeat) {
      if (next_role == Role::kOne || next_role == Role::kZero) {
        Repeat(*next, entry.value);
      } else {
        plain();
      }
    } else if (next_role == Role::kOne || next_role == Role::kTen || next_role == Role::kZero ||
               IsNumeric(*next)) {
      value_ = Number{false, OrNothing() + "."};
    }
  }

  // "double oh": the next word so often, and past it.
  void Repeat(const std::string& word, int times) {
    std::string digits = OrNothing();
    for (int i = 0; i < times; ++i) digits += std::to_string(Lookup(word).value);
    value_ = Number{false, digits};
    ++at_;
  }

  const Entry& Previous() const {
    static const Entry none;
    return at_ > 0 ? Lookup(words_[at_ - 1]) : none;
  }

  std::string OrNothing() const { return value_ ? value_->OrNothing() : ""; }

  void FlushValue() {
    if (value_) Output(std::string(value_->digits));
  }

  void Output(std::string text) {
    out_.push_back(prefix_ + std::move(text));
    prefix_.clear();
    value_.reset();
  }

  const std::vector<std::string>& words_;
  std::size_t at_ = 0;
  std::vector<std::string> out_;
  std::string prefix_;
  std::optional<Number> value_;
};

}  // namespace

std::vector<std::string> JoinNumberWords(const std::vector<std::string>& words) {
  return Joiner(words).Run();
}

bool CanHaveHalf(const std::string& word) {
  const Role role = Lookup(word).role;
  return role == Role::kZero || role == Role::kOne || role == Role::kTen ||
         role == Role::kMultiplier;
}

}  // namespace xdna::decoder
