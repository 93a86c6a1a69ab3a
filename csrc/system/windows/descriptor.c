#include "system/descriptor.h"

#include <errno.h>
#include <io.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"

/* What the C library can number; sockets have numbers of the system's. */
enum { MOST_FILES = 8192 };

static bool identify(int file, sv_descriptor *descriptor) {
  BY_HANDLE_FILE_INFORMATION about;
  HANDLE handle = file >= 0 ? (HANDLE)_get_osfhandle(file)
                            : INVALID_HANDLE_VALUE;
  if (handle == INVALID_HANDLE_VALUE ||
      !GetFileInformationByHandle(handle, &about)) {
    return false;
  }
  descriptor->device = about.dwVolumeSerialNumber;
  descriptor->inode = (unsigned long long)about.nFileIndexHigh << 32 |
                      about.nFileIndexLow;
  return true;
}

sv_descriptor sv_descriptor_of(int file) {
  sv_descriptor descriptor = {.number = file};
  identify(file, &descriptor);
  return descriptor;
}

/* Handles of the system's have no such numbers, and the C library gives 0 to 2 to
** no file of ours while stdin, stdout and stderr stand. */
void sv_descriptor_fill_standard(void) {
}

int sv_descriptor_most(void) {
  return MOST_FILES;
}

/* Files are made so; this is called for sockets. */
void sv_descriptor_keep_private(int file) {
  SetHandleInformation((HANDLE)(UINT_PTR)(unsigned)file, HANDLE_FLAG_INHERIT,
                       0);
}

bool sv_descriptor_holds(const sv_descriptor *descriptor) {
  sv_descriptor now = {.number = descriptor->number};
  return identify(now.number, &now) && now.device == descriptor->device &&
         now.inode == descriptor->inode;
}

/* Those of other libraries are not the C library's, and cannot be seen. */
sv_descriptor sv_descriptor_find(const char *path) {
  (void)path;
  return (sv_descriptor){.number = -1};
}

bool sv_descriptor_find_again(sv_descriptor *descriptor) {
  (void)descriptor;
  return false;
}

int sv_descriptor_close(sv_descriptor *descriptor) {
  bool failed = sv_descriptor_holds(descriptor) && _close(descriptor->number);
  int problem = failed ? errno : 0;
  descriptor->number = -1;
  return problem;
}
