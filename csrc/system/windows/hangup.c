#include "system/hangup.h"

#include "rules/visibility.h"

/* Nobody sends one here. */
void sv_hangup_begin(void) {
}

void sv_hangup_end(void) {
}

bool sv_hangup_came(void) {
  return false;
}
