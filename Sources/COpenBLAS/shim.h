// OpenBLAS as Swift sees it: the CBLAS interface and OpenBLAS's own queries.
#pragma once
#include <cblas.h>
