// Nothing to call: linking this target is enough.
#pragma once
