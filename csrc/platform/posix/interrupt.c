#include "platform/interrupt.h"

double sv_interrupt_limit(double seconds) {
  return seconds;
}
