// The kernels for every processor: vectors of 16 bytes.
#include "runtime.h"
#define ISA ISA_PLAIN
#define VECTOR_BYTES 16
#include "kernels/all.hpp"
extern "C" const char *const ck_name_of_plain = "plain";
