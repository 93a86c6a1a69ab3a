#include "system/file.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/windows/win32.h"

#include "rules/visibility.h"

/* As others may open it meanwhile: a file that is being written may be looked
** at, renamed and removed, as on other systems. */
static const DWORD SHARED =
    FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;

enum { MOST_TRIES = 20, TRY_MILLISECONDS = 10 };

/* --- by name -------------------------------------------------------------- */

static DWORD attributes_at(const char *path) {
  wchar_t *wide = sv_win32_path(path);
  DWORD attributes = wide ? GetFileAttributesW(wide) : INVALID_FILE_ATTRIBUTES;
  free(wide);
  return attributes;
}

static bool is_directory(const char *path) {
  DWORD attributes = attributes_at(path);
  return attributes != INVALID_FILE_ATTRIBUTES &&
         (attributes & FILE_ATTRIBUTE_DIRECTORY);
}

static const char *kind_of(HANDLE handle) {
  BY_HANDLE_FILE_INFORMATION about;
  if (GetFileType(handle) != FILE_TYPE_DISK ||
      !GetFileInformationByHandle(handle, &about)) {
    return "other";
  }
  return about.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY ? "directory"
                                                           : "file";
}

const char *sv_file_kind(const char *path) {
  wchar_t *wide = sv_win32_path(path);
  HANDLE handle = wide ? sv_win32_look(wide) : INVALID_HANDLE_VALUE;
  const char *kind = handle != INVALID_HANDLE_VALUE ? kind_of(handle) : NULL;
  if (handle != INVALID_HANDLE_VALUE) {
    CloseHandle(handle);
  }
  free(wide);
  return kind;
}

long long sv_file_size_at(const char *path) {
  WIN32_FILE_ATTRIBUTE_DATA about;
  wchar_t *wide = sv_win32_path(path);
  BOOL there = wide && GetFileAttributesExW(wide, GetFileExInfoStandard, &about);
  free(wide);
  return there ? (long long)about.nFileSizeHigh << 32 | about.nFileSizeLow : -1;
}

bool sv_file_is_readable(const char *path) {
  int file;
  if (sv_file_open(&file, path, SV_FILE_READ, false) != 0) {
    return false;
  }
  _close(file);
  return true;
}

int sv_file_create_private(const char *path) {
  sv_private owner;
  wchar_t *wide = sv_win32_path(path);
  if (!wide) {
    return errno;
  }
  HANDLE handle = CreateFileW(wide, GENERIC_WRITE, SHARED,
                              sv_private_make(&owner), CREATE_NEW,
                              FILE_ATTRIBUTE_NORMAL, NULL);
  int problem = sv_win32_problem(handle != INVALID_HANDLE_VALUE);
  if (!problem) {
    CloseHandle(handle);
  }
  sv_private_free(&owner);
  free(wide);
  return problem == EACCES && is_directory(path) ? EEXIST : problem;
}

int sv_file_remove(const char *path) {
  wchar_t *wide = sv_win32_path(path);
  int problem = wide ? sv_win32_problem(DeleteFileW(wide)) : errno;
  free(wide);
  return problem == EACCES && is_directory(path) ? EISDIR : problem;
}

/* Whoever looks through what was just written, for viruses or to index it, may
** have it open for a moment, and lets nobody rename it meanwhile. */
static int move(const wchar_t *from, const wchar_t *to, DWORD flags) {
  int problem = sv_win32_problem(MoveFileExW(from, to, flags));
  for (int tries = 1; problem == EBUSY && tries < MOST_TRIES; tries++) {
    Sleep(TRY_MILLISECONDS);
    problem = sv_win32_problem(MoveFileExW(from, to, flags));
  }
  return problem;
}

/* The name is on the disk when this returns. */
int sv_file_rename(const char *from, const char *to, bool overwrite) {
  wchar_t *wide_from = sv_win32_path(from);
  wchar_t *wide_to = wide_from ? sv_win32_path(to) : NULL;
  int problem = wide_to ? move(wide_from, wide_to,
                               MOVEFILE_WRITE_THROUGH |
                                   (overwrite ? MOVEFILE_REPLACE_EXISTING : 0))
                        : errno;
  free(wide_from);
  free(wide_to);
  return problem == EACCES && is_directory(to) ? overwrite ? EISDIR : EEXIST
                                               : problem;
}

static bool is_separator(char c) {
  return c == '/' || c == '\\';
}

/* How much of a path none can make: a drive, `\\server\share`, the root. */
static size_t root_length(const char *path) {
  size_t at = 0;
  if (path[0] && path[1] == ':') {
    return is_separator(path[2]) ? 3 : 2;
  } else if (!is_separator(path[0]) || !is_separator(path[1])) {
    return is_separator(path[0]);
  }
  for (int part = 0; part < 2; part++) {
    at += strspn(path + at, "/\\");
    at += strcspn(path + at, "/\\");
  }
  return at;
}

/* What makes one here at the same moment is welcome. */
static int make_one(const char *path) {
  wchar_t *wide = sv_win32_path(path);
  int problem = wide ? sv_win32_problem(CreateDirectoryW(wide, NULL)) : errno;
  free(wide);
  if (problem == EEXIST || problem == EACCES) {
    return is_directory(path)   ? 0
           : problem == EEXIST ? ENOTDIR
                               : problem;
  }
  return problem;
}

int sv_file_make_directory(const char *path) {
  char *made = malloc(strlen(path) + 1);
  int problem = made ? 0 : ENOMEM;
  size_t at = root_length(path);
  while (!problem && path[at]) {
    at += strspn(path + at, "/\\");
    at += strcspn(path + at, "/\\");
    memcpy(made, path, at);
    made[at] = '\0';
    problem = is_directory(made) ? 0 : make_one(made);
  }
  free(made);
  return problem;
}

char *sv_file_directory_of(const char *path) {
  size_t root = root_length(path), end = strlen(path);
  while (end > root && !is_separator(path[end - 1])) {
    end--;
  }
  size_t size = end > root + 1 ? end - 1 : end;
  char *directory = malloc(size + 2);
  if (directory) {
    memcpy(directory, size > 0 ? path : ".", size > 0 ? size : 1);
    directory[size > 0 ? size : 1] = '\0';
  }
  return directory;
}

/* The system lets nobody but administrators do so; its file system writes
** names to its log itself, and a rename waits for that. */
int sv_file_sync_directory(const char *path) {
  (void)path;
  return 0;
}

/* --- open files ----------------------------------------------------------- */

/* With no right to write elsewhere the system finds the end itself, whatever
** other programs append meanwhile. */
#define APPEND (FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE)

static const struct {
  DWORD access, disposition;
  int flags;
} modes[] = {
    [SV_FILE_READ] = {GENERIC_READ, OPEN_EXISTING, _O_RDONLY},
    [SV_FILE_UPDATE] = {GENERIC_READ | GENERIC_WRITE, OPEN_EXISTING, 0},
    [SV_FILE_CREATE] = {GENERIC_READ | GENERIC_WRITE, OPEN_ALWAYS, 0},
    [SV_FILE_REPLACE] = {GENERIC_WRITE, CREATE_ALWAYS, 0},
    [SV_FILE_APPEND] = {APPEND, OPEN_ALWAYS, _O_APPEND},
};

static int open_handle(HANDLE *handle, const char *path, sv_file_access access,
                       bool is_private, DWORD disposition, DWORD flags) {
  sv_private owner;
  wchar_t *wide = sv_win32_path(path);
  if (!wide) {
    return errno;
  }
  *handle = CreateFileW(wide, modes[access].access, SHARED,
                        is_private ? sv_private_make(&owner) : NULL,
                        disposition, FILE_ATTRIBUTE_NORMAL | flags, NULL);
  int problem = sv_win32_problem(*handle != INVALID_HANDLE_VALUE);
  if (is_private) {
    sv_private_free(&owner);
  }
  free(wide);
  return problem == EACCES && is_directory(path) ? EISDIR : problem;
}

/* Takes the handle over. */
static int descriptor_of(int *file, HANDLE handle, int flags) {
  int problem = 0;
  *file = -1;
  if (GetFileType(handle) == FILE_TYPE_DISK) {
    *file = _open_osfhandle((intptr_t)handle, flags | _O_BINARY | _O_NOINHERIT);
    problem = *file < 0 ? EMFILE : 0;
  } else {
    problem = ENXIO;
  }
  if (problem) {
    CloseHandle(handle);
  }
  return problem;
}

int sv_file_open(int *file, const char *path, sv_file_access access,
                 bool is_private) {
  HANDLE handle;
  *file = -1;
  int problem = open_handle(&handle, path, access, is_private,
                            modes[access].disposition, 0);
  return problem ? problem : descriptor_of(file, handle, modes[access].flags);
}

/* Other reparse points than links are files that a cloud or a compression
** keeps. */
static DWORD tag_of(HANDLE handle) {
  FILE_ATTRIBUTE_TAG_INFO about = {0};
  GetFileInformationByHandleEx(handle, FileAttributeTagInfo, &about,
                               sizeof about);
  return about.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT ? about.ReparseTag
                                                             : 0;
}

static bool is_foreign(HANDLE handle) {
  BY_HANDLE_FILE_INFORMATION about = {.nNumberOfLinks = 1};
  GetFileInformationByHandle(handle, &about);
  return IsReparseTagNameSurrogate(tag_of(handle)) || about.nNumberOfLinks > 1;
}

static int open_own(HANDLE *handle, const char *path, sv_file_access access,
                    bool is_private) {
  DWORD disposition = modes[access].disposition;
  disposition = disposition == CREATE_ALWAYS ? OPEN_ALWAYS : disposition;
  int problem = open_handle(handle, path, access, is_private, disposition,
                            FILE_FLAG_OPEN_REPARSE_POINT);
  if (problem) {
    return problem;
  } else if (is_foreign(*handle)) {
    CloseHandle(*handle);
    return access == SV_FILE_READ         ? ENOENT
           : sv_file_remove(path) == 0 ? SV_FILE_CHANGED
                                          : SV_FILE_FOREIGN;
  } else if (tag_of(*handle) != 0) {
    CloseHandle(*handle);
    return open_handle(handle, path, access, is_private, disposition, 0);
  }
  return 0;
}

int sv_file_open_own(int *file, const char *path, sv_file_access access,
                     bool is_private) {
  HANDLE handle;
  int problem = SV_FILE_CHANGED;
  *file = -1;
  for (int tries = 0; tries < MOST_TRIES && problem == SV_FILE_CHANGED;
       tries++) {
    problem = open_own(&handle, path, access, is_private);
  }
  problem = problem == SV_FILE_CHANGED ? SV_FILE_FOREIGN : problem;
  problem = problem ? problem
                    : descriptor_of(file, handle, modes[access].flags);
  if (!problem && access == SV_FILE_REPLACE &&
      (problem = sv_file_truncate(*file, 0)) != 0) {
    _close(*file);
    *file = -1;
  }
  return problem;
}

int sv_file_close(int file) {
  return _close(file) == 0 ? 0 : errno;
}

int sv_file_size(int file, long long *size) {
  *size = _filelengthi64(file);
  return *size < 0 ? errno : 0;
}

/* Where the file was is where it stays. */
int sv_file_truncate(int file, long long size) {
  FILE_END_OF_FILE_INFO end = {.EndOfFile = {.QuadPart = size}};
  return sv_win32_problem(
      SetFileInformationByHandle((HANDLE)_get_osfhandle(file),
                                 FileEndOfFileInfo, &end, sizeof end));
}

int sv_file_seek(int file, long long position) {
  return _lseeki64(file, position, SEEK_SET) < 0 ? errno : 0;
}

int sv_file_read(int file, void *bytes, size_t room, size_t *count) {
  int got = _read(file, bytes, room < INT_MAX ? (unsigned)room : INT_MAX);
  *count = got > 0 ? (size_t)got : 0;
  return got < 0 ? errno : 0;
}

int sv_file_read_at(int file, long long position, void *bytes, size_t room,
                    size_t *count) {
  size_t got = 1;
  long long before = _telli64(file);
  int problem = sv_file_seek(file, position);
  for (*count = 0; !problem && got > 0 && *count < room; *count += got) {
    problem = sv_file_read(file, (char *)bytes + *count, room - *count, &got);
  }
  if (before >= 0) {
    sv_file_seek(file, before);
  }
  return problem;
}

/* What cannot be written whole is cut, and the rest tells why. */
int sv_file_write(int file, const char *bytes, size_t size, size_t *written) {
  *written = 0;
  while (*written < size) {
    size_t left = size - *written;
    int count = _write(file, bytes + *written,
                       left < INT_MAX ? (unsigned)left : INT_MAX);
    if (count <= 0) {
      return count < 0 ? errno : ENOSPC;
    }
    *written += (size_t)count;
  }
  return 0;
}

int sv_file_sync(int file) {
  int problem = sv_win32_problem(
      FlushFileBuffers((HANDLE)_get_osfhandle(file)));
  if (problem == ENOSYS || problem == EINVAL) {
    return 0;
  }
  if (problem) {
    sv_file_truncate(file, 0);
  }
  return problem;
}

const char *sv_file_problem(int problem) {
  return problem == ENXIO   ? "it is a pipe or a device, not a file"
         : problem == EBUSY ? "another program has it open, and shares it with"
                              " nobody"
         : problem == EWOULDBLOCK ? "another program has locked it"
         : problem == SV_FILE_CHANGED ? "it was changed meanwhile"
         : problem == SV_FILE_DANGLING
             ? "it is a link to something that does not exist"
         : problem == SV_FILE_FOREIGN
             ? "something of that name is a link or another account's, and may"
               " not be removed"
                                      : strerror(problem);
}

/* Tells alone whether the drive is another machine's. */
void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]) {
  wchar_t volume[MAX_PATH];
  wchar_t *wide = sv_win32_path(path);
  bool is_remote = wide && GetVolumePathNameW(wide, volume, MAX_PATH) &&
                   GetDriveTypeW(volume) == DRIVE_REMOTE;
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", is_remote ? "network" : "");
  free(wide);
}

int sv_file_room(const char *folder, double *bytes, char name[SV_FILE_SYSTEM_ROOM]) {
  wchar_t volume[MAX_PATH];
  ULARGE_INTEGER room;
  wchar_t *wide = sv_win32_path(folder);
  int problem = wide ? 0 : ENOMEM;
  if (wide && !(GetVolumePathNameW(wide, volume, MAX_PATH) &&
                GetDiskFreeSpaceExW(wide, &room, NULL, NULL))) {
    problem = sv_win32_problem(FALSE);
  } else if (wide) {
    *bytes = (double)room.QuadPart;
    snprintf(name, SV_FILE_SYSTEM_ROOM, "%ls", volume);
  }
  free(wide);
  return problem;
}
