#include "system/ca_bundle.h"

#include <stddef.h>

#include "rules/visibility.h"

/* Schannel asks the system. A path from the root of the drive is no answer:
** every user of the machine may put a file there. */
const char *sv_ca_bundle_file(void) {
  return NULL;
}
