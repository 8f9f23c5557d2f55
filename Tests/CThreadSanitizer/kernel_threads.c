// Lets kernels use three threads in all tests that do not choose a number: the default is one, with
// which ThreadSanitizer would see no kernel that shares work.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include "CKernels.h"

__attribute__((constructor)) static void use_threads(void) { ck_set_threads(3); }
#endif
#endif
