#include "platform/interrupt.h"

#include "core/hidden.h"

double sv_interrupt_limit(double seconds) {
  return seconds;
}
