// zlib as Swift sees it: inflate for gzip files, crc32 for checkpoint manifests.
#pragma once
#include <zlib.h>
