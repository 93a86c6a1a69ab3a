#include "system/interrupt.h"

#include "rules/visibility.h"

/* Ctrl-C comes on a thread of the system's and ends no wait of another one.
** A person takes it for the answer to the key. */
#define LONGEST_SECONDS 0.05

double sv_interrupt_limit(double seconds) {
  return seconds < LONGEST_SECONDS ? seconds : LONGEST_SECONDS;
}
