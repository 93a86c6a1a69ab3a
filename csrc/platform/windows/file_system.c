#include "platform/file_system.h"

#include <stdio.h>
#include <stdlib.h>

#include "platform/windows/wide.h"
#include "platform/windows/win32.h"

#include "core/hidden.h"

/* A drive of another machine is "network", whatever that one calls it. */
void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]) {
  wchar_t volume[MAX_PATH], type[SV_FILE_SYSTEM_ROOM];
  wchar_t *wide = sv_win32_path(path);
  char *narrow = NULL;
  *name = '\0';
  if (wide && GetVolumePathNameW(wide, volume, MAX_PATH)) {
    if (GetDriveTypeW(volume) == DRIVE_REMOTE) {
      snprintf(name, SV_FILE_SYSTEM_ROOM, "network");
    } else if (GetVolumeInformationW(volume, NULL, 0, NULL, NULL, NULL, type,
                                     SV_FILE_SYSTEM_ROOM)) {
      narrow = sv_narrow(type);
    }
  }
  if (narrow) {
    snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", narrow);
  }
  free(narrow);
  free(wide);
}
