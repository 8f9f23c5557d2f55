// The handwritten digits that come with the program: a gzip file, embedded when compiled.
#pragma once
#include <stddef.h>

/// The bytes of `digits.csv.gz`: one sample a line, 64 pixels of 0...16 and then the label.
const unsigned char *cdigits_bytes(void);

/// How many bytes there are.
size_t cdigits_count(void);
