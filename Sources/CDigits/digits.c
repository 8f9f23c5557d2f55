#include "CDigits.h"

static const unsigned char digits[] = {
#embed "digits.csv.gz"
};

const unsigned char *cdigits_bytes(void) { return digits; }

size_t cdigits_count(void) { return sizeof digits; }
