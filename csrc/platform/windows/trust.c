#include "platform/trust.h"

#include <stddef.h>

#include "core/hidden.h"

/* Schannel asks the system. A path from the root of the drive is no answer:
** every user of the machine may put a file there. */
const char *sv_trust_file(void) {
  return NULL;
}
