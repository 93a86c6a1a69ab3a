#include "system/sqlite_file.h"

#include <stdlib.h>

#include "system/file.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

/* SQLite lets nobody move or remove a file that it has open, nor its log, and
** its locks are not dropped: what is left are names that the file has. */

struct sv_sqlite_file {
  wchar_t *path;
};

sv_sqlite_file *sv_sqlite_file_new(const char *path) {
  sv_sqlite_file *file = malloc(sizeof *file);
  if (file && !(file->path = sv_win32_path(path))) {
    free(file);
    return NULL;
  }
  return file;
}

void sv_sqlite_file_open(sv_sqlite_file *file) {
  (void)file;
}

sv_sqlite_place sv_sqlite_file_look(const sv_sqlite_file *file) {
  BY_HANDLE_FILE_INFORMATION about = {.nNumberOfLinks = 1};
  HANDLE handle = CreateFileW(
      file->path, FILE_READ_ATTRIBUTES,
      FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
      OPEN_EXISTING, 0, NULL);
  if (handle == INVALID_HANDLE_VALUE) {
    return SV_SQLITE_MISSING;
  }
  GetFileInformationByHandle(handle, &about);
  CloseHandle(handle);
  return about.nNumberOfLinks > 1 ? SV_SQLITE_LINKED : SV_SQLITE_SAME;
}

void sv_sqlite_file_close(sv_sqlite_file *file) {
  (void)file;
}

void sv_sqlite_file_free(sv_sqlite_file *file) {
  free(file->path);
  free(file);
}

sv_sqlite_rights sv_sqlite_file_make_private(const char *path) {
  sv_file_create_private(path); /* fails where there is one */
  return SV_SQLITE_PRIVATE;
}

/* There is no fork here, hence no child that lacks locks. */

sv_sqlite_locks *sv_sqlite_locks_note(const char *path) {
  (void)path;
  return NULL;
}

void sv_sqlite_locks_drop(sv_sqlite_locks *noted) {
  (void)noted;
}

void sv_sqlite_locks_lose(sv_sqlite_locks *noted) {
  (void)noted;
}

int sv_sqlite_locks_claim(const char *path) {
  (void)path;
  return 0;
}
