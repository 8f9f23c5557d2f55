// See CSignals.h. Everything that a handler touches is a `volatile sig_atomic_t`, and the only
// function that it calls is `_exit`, which is async-signal-safe.
// Strict C hides what POSIX adds to <signal.h> unless asked for it.
#define _POSIX_C_SOURCE 200809L
#include "CSignals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t requested = 0;
static volatile sig_atomic_t count = 0;
static volatile sig_atomic_t interrupts = 0;

static void handle(int signal_number) {
  const int is_interrupt = signal_number == SIGTERM || signal_number == SIGINT;
  if (is_interrupt && interrupts > 0) _exit(128 + signal_number);
  interrupts += is_interrupt;
  requested = signal_number;
  count += 1;
}

static int set_action(int signal_number, void (*handler)(int)) {
  struct sigaction action = {0};
  action.sa_handler = handler;
  // Reads and writes under way go on; no handler interrupts another.
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  return sigaction(signal_number, &action, NULL) == 0 ? 0 : errno;
}

int csignals_install(void) {
  const struct {
    int number;
    void (*handler)(int);
  } actions[] = {
    {SIGTERM, handle}, {SIGINT, handle}, {SIGUSR1, handle}, {SIGPIPE, SIG_IGN}, {SIGXFSZ, SIG_IGN},
  };
  for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
    const int failure = set_action(actions[i].number, actions[i].handler);
    if (failure != 0) return failure;
  }
  return 0;
}

int csignals_requested(void) { return requested; }

int csignals_count(void) { return count; }

void csignals_reset_for_tests(void) {
  requested = 0;
  count = 0;
  interrupts = 0;
}
