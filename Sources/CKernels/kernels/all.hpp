// All kernels. A file for each instruction set includes this one, having set ISA, VECTOR_BYTES and the
// target. Everything is in an unnamed namespace, so that the linker keeps the sets apart.
namespace {
#include "vectors.hpp"
#include "entry.hpp"

#include "mathematics.hpp"

#include "elementwise.hpp"
#include "activations.hpp"
#include "binary.hpp"
#include "memory.hpp"
#include "reductions.hpp"
#include "rows.hpp"
#include "losses.hpp"
#include "random.hpp"
#include "products.hpp"
#include "normalization.hpp"
#include "attention.hpp"
#include "convolution.hpp"
#include "pooling.hpp"
#include "optimizers.hpp"
}  // namespace
