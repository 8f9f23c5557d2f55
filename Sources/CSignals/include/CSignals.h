// Requests to stop that arrive as signals. The handlers only set a flag; the program looks at the
// flag where stopping is safe.
#ifndef CSIGNALS_H
#define CSIGNALS_H

// Installs the handlers of SIGTERM, SIGINT and SIGUSR1, and ignores SIGPIPE and SIGXFSZ, so that
// writing to a closed pipe or beyond a file limit is an error of the write and not the end of the
// process. A second SIGTERM or SIGINT exits at once with 128 + its number.
// Returns 0, or the `errno` of the call that failed.
int csignals_install(void);

// The number of the signal that came last, or 0 when none came.
int csignals_requested(void);

// How many of the handled signals came so far.
int csignals_count(void);

// Forgets the signals that came so far.
void csignals_reset_for_tests(void);

#endif
