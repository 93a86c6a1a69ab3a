#include "platform/file_system.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "platform/windows/wide.h"
#include "platform/windows/win32.h"

#include "core/hidden.h"

/* Tells alone whether the drive is another machine's. */
void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]) {
  wchar_t volume[MAX_PATH];
  wchar_t *wide = sv_win32_path(path);
  bool is_remote = wide && GetVolumePathNameW(wide, volume, MAX_PATH) &&
                   GetDriveTypeW(volume) == DRIVE_REMOTE;
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", is_remote ? "network" : "");
  free(wide);
}
