#include "system/interrupt.h"

#include "rules/visibility.h"

double sv_interrupt_limit(double seconds) {
  return seconds;
}
