// Damages a file in place, in a way that a number decides.
//
// Usage: mutate flip SEED FILE    flips one bit
//        mutate mix SEED FILE     makes one to four changes of those that readers get wrong: flipped
//                                 bits, extreme numbers in binary and in decimal, lost, repeated and
//                                 inserted parts, a lost end
#include <cctype>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

static std::mt19937_64 engine;

static size_t below(size_t bound) { return bound == 0 ? 0 : size_t(engine() % bound); }

static void flip(std::string &text) {
  if (!text.empty()) text[below(text.size())] ^= char(1 << below(8));
}

// Overwrites bytes with a number at the limits of its type, in either byte order.
static void put_number(std::string &text) {
  const uint64_t numbers[] = {
      0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, uint64_t(1) << 32,
      uint64_t(1) << 40, uint64_t(1) << 62, INT64_MAX, uint64_t(1) << 63, UINT64_MAX};
  const uint64_t number = numbers[below(std::size(numbers))];
  const size_t widths[] = {1, 2, 4, 8};
  const size_t width = widths[below(4)];
  // Sizes stand at the beginning of most files.
  const size_t place = below(below(2) == 0 ? std::min<size_t>(text.size(), 32) : text.size());
  const bool is_big = below(2) == 0;
  for (size_t i = 0; i < width && place + i < text.size(); i++)
    text[place + i] = char(number >> (8 * (is_big ? width - 1 - i : i)));
}

// Replaces a decimal number with another text.
static void replace_number(std::string &text) {
  std::vector<std::pair<size_t, size_t>> runs;
  for (size_t i = 0; i < text.size() && runs.size() < 10000; i++) {
    if (!isdigit((unsigned char)text[i])) continue;
    const size_t start = i;
    while (i < text.size() && isdigit((unsigned char)text[i])) i++;
    runs.push_back({start, i - start});
  }
  if (runs.empty()) return;
  const char *texts[] = {
      "0", "-1", "1e999", "nan", "-inf", "4611686018427387904", "9223372036854775807",
      "9223372036854775808", "18446744073709551616", "999999999999", "0x10", "1.5", "", "\"", "[", "~",
      "00", "1e-400", "\xff", "5000000000"};
  const auto [place, length] = runs[below(runs.size())];
  text.replace(place, length, texts[below(std::size(texts))]);
}

static void change(std::string &text) {
  const size_t place = below(text.size()), length = 1 + below(std::min<size_t>(text.size(), 64));
  switch (below(8)) {
    case 0: case 1: flip(text); break;
    case 2: put_number(text); break;
    case 3: case 4: replace_number(text); break;
    case 5: text.erase(place, length); break;
    case 6: text.insert(place, text.substr(below(text.size()), length)); break;
    default:
      if (below(2) == 0) text.resize(place);
      else for (size_t i = 0; i < length; i++) text.insert(place, 1, char(below(256)));
  }
}

int main(int count, char **arguments) {
  if (count != 4) return 64;
  engine.seed(std::stoull(arguments[2]));
  std::ifstream input(arguments[3], std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(input), {}};
  if (std::string(arguments[1]) == "flip") flip(text);
  else for (size_t changes = 1 + below(4); changes > 0; changes--) change(text);
  std::ofstream(arguments[3], std::ios::binary | std::ios::trunc) << text;
}
