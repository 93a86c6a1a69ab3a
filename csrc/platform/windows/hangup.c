#include "platform/hangup.h"

#include "core/hidden.h"

/* Nobody sends one here. */
void sv_hangup_begin(void) {
}

void sv_hangup_end(void) {
}

bool sv_hangup_came(void) {
  return false;
}
