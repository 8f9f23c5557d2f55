// OpenBLAS as Swift sees it: the CBLAS interface, OpenBLAS's own queries, and LAPACK.
#pragma once
#include <cblas.h>
#include "lapack.h"
