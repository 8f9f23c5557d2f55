// Nothing to call: linking this target, which is empty without ThreadSanitizer, is enough.
#pragma once
