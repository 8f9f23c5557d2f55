// libpng as Swift sees it: the simplified API, which reports errors by return values.
#pragma once
#include <png.h>
