// Every kernel, once per instruction set: the including file sets VECTOR_BYTES, KERNEL_TABLE and
// the target. All functions are static; only the table leaves the file.
#include "vectors.h"
#include "mathematics.h"
#include "elementwise.h"
#include "binary.h"
#include "memory.h"
#include "reductions.h"
#include "rows.h"
#include "random.h"
#include "products.h"
#include "windows.h"
#include "networks.h"
#include "optimizers.h"

const struct ck_kernels KERNEL_TABLE = {
#define KERNEL(R, name, parameters, arguments) .name = name,
    CK_KERNELS(KERNEL)
#undef KERNEL
};
