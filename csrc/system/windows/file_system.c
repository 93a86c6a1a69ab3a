#include "system/file_system.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "system/windows/wide.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

/* Tells alone whether the drive is another machine's. */
void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]) {
  wchar_t volume[MAX_PATH];
  wchar_t *wide = sv_win32_path(path);
  bool is_remote = wide && GetVolumePathNameW(wide, volume, MAX_PATH) &&
                   GetDriveTypeW(volume) == DRIVE_REMOTE;
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", is_remote ? "network" : "");
  free(wide);
}
