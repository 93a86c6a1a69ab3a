/*
** What makes a new file its owner's alone.
*/
#ifndef SV_PLATFORM_PRIVATE_H
#define SV_PLATFORM_PRIVATE_H

#include "system/windows/win32.h"

typedef struct sv_private {
  SECURITY_ATTRIBUTES attributes;
  void *descriptor; /* of Win32's memory, or NULL */
} sv_private;

/* For CreateFileW; NULL where the system does not tell who we are: the file has
** the rights of its directory then, which in a user's own is the same. */
SECURITY_ATTRIBUTES *sv_private_make(sv_private *owner);
void sv_private_free(sv_private *owner);

#endif
