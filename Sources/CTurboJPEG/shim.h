// libjpeg-turbo as Swift sees it: the TurboJPEG API, which reports errors by return values.
#pragma once
#include <turbojpeg.h>
