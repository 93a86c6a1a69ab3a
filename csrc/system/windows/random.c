#include "system/random.h"

#include "system/windows/win32.h"

#include <bcrypt.h>

#include "rules/visibility.h"

bool sv_random_bytes(void *bytes, size_t size) {
  return BCryptGenRandom(NULL, bytes, (ULONG)size,
                         BCRYPT_USE_SYSTEM_PREFERRED_RNG) == 0;
}
