#include "system/environment.h"

#include <stdlib.h>
#include <string.h>

#include "rules/visibility.h"

bool sv_environment_get(const char *name, char *value, size_t room,
                        size_t *size) {
  const char *found = getenv(name);
  *size = found ? strlen(found) + 1 : 0;
  if (found && *size <= room) {
    memcpy(value, found, *size);
  }
  return found != NULL;
}

char *sv_environment_words(int *count) {
  *count = 0;
  return NULL;
}
