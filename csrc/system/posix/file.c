#define _GNU_SOURCE /* renameat2, O_DIRECTORY, strndup, makedev */

#include "system/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#if defined __linux__
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#else
#include <sys/param.h>
/* After the former. */
#include <sys/mount.h>
#endif

#include "system/descriptor.h"

#include "rules/visibility.h"

/* Of a system call that gives 0 where it succeeds. */
static int problem_of(int returned) {
  return returned == 0 ? 0 : errno;
}

/* What file systems answer that cannot do it, or kernels that never could. */
static bool is_unsupported(int problem) {
  return problem == EINVAL || problem == ENOSYS || problem == EPERM ||
         problem == ENOTSUP || problem == EOPNOTSUPP;
}

/* --- by name -------------------------------------------------------------- */

const char *sv_file_kind(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0) {
    return NULL;
  }
  return S_ISREG(status.st_mode)   ? "file"
         : S_ISDIR(status.st_mode) ? "directory"
                                   : "other";
}

long long sv_file_size_at(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? (long long)status.st_size : -1;
}

bool sv_file_is_readable(const char *path) {
  return access(path, R_OK) == 0;
}

int sv_file_create_private(const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return errno;
  }
  close(file);
  return 0;
}

int sv_file_remove(const char *path) {
  return problem_of(unlink(path));
}

static int link_over(const char *from, const char *to) {
  if (link(from, to) != 0) {
    return errno;
  }
  unlink(from);
  return 0;
}

/* Where not even links exist, a file that comes up between the two calls is
** lost. */
static int look_and_rename(const char *from, const char *to) {
  return access(to, F_OK) == 0 ? EEXIST : problem_of(rename(from, to));
}

static int rename_to_free_name(const char *from, const char *to) {
  int problem = ENOSYS;
#if defined(RENAME_NOREPLACE)
  problem = problem_of(
      renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
#elif defined(RENAME_EXCL)
  problem = problem_of(renamex_np(from, to, RENAME_EXCL));
#endif
  problem = is_unsupported(problem) ? link_over(from, to) : problem;
  return is_unsupported(problem) ? look_and_rename(from, to) : problem;
}

int sv_file_rename(const char *from, const char *to, bool overwrite) {
  return overwrite ? problem_of(rename(from, to))
                   : rename_to_free_name(from, to);
}

static bool is_directory(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* What makes one here at the same moment is welcome. A file in it is not safe
** before its own name is. */
static int make_directory(const char *path, const char *parent) {
  if (is_directory(path)) {
    return 0;
  }
  if (mkdir(path, 0777) == 0) {
    return sv_file_sync_directory(parent);
  }
  int problem = errno;
  return problem != EEXIST ? problem : is_directory(path) ? 0 : ENOTDIR;
}

int sv_file_make_directory(const char *path) {
  size_t size = strlen(path) + 1;
  char *made = malloc(size), *parent = malloc(size + 1);
  int problem = made && parent ? 0 : ENOMEM;
  size_t at = 0;
  if (!problem) {
    strcpy(parent, *path == '/' ? "/" : ".");
  }
  while (!problem && path[at]) {
    at += strspn(path + at, "/");
    at += strcspn(path + at, "/");
    memcpy(made, path, at);
    made[at] = '\0';
    problem = make_directory(made, parent);
    memcpy(parent, made, at + 1);
  }
  free(made);
  free(parent);
  return problem;
}

char *sv_file_directory_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return !slash ? strdup(".")
                : strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* A directory that may be written but not read cannot be synced, either. */
int sv_file_sync_directory(const char *path) {
  int problem = 0;
  int file = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file >= 0 && fsync(file) != 0 && !is_unsupported(errno)) {
    problem = errno;
  }
  if (file >= 0) {
    close(file);
  }
  return problem;
}

/* --- open files ----------------------------------------------------------- */

static const int flags_of[] = {
    [SV_FILE_READ] = O_RDONLY,
    [SV_FILE_UPDATE] = O_RDWR,
    [SV_FILE_CREATE] = O_RDWR | O_CREAT,
    [SV_FILE_REPLACE] = O_WRONLY | O_CREAT | O_TRUNC,
    [SV_FILE_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
};

/* 0 of a regular file, or an errno. */
static int look(int file) {
  struct stat status;
  if (fstat(file, &status) != 0) {
    return errno;
  }
  return S_ISREG(status.st_mode) ? 0 : S_ISDIR(status.st_mode) ? EISDIR : ENXIO;
}

int sv_file_open(int *file, const char *path, sv_file_access access,
                 bool is_private) {
  int flags = flags_of[access] | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  sv_descriptor_fill_standard();
  *file = open(path, flags, is_private ? 0600 : 0666);
  int problem = *file < 0 ? errno : look(*file);
  if (*file >= 0 && problem) {
    close(*file);
    *file = -1;
  }
  return problem;
}

/* --- files that may have been planted ------------------------------------- */

/* With the lock of the former, by which removals and their makers agree. */
enum { MOST_TRIES = 100 };

/* Whether anybody but us and root may put files into the directory of a path. */
static bool is_shared_directory(const char *path) {
  struct stat status;
  char *directory = sv_file_directory_of(path);
  bool is_alone = directory && stat(directory, &status) == 0 &&
                  (status.st_uid == geteuid() || status.st_uid == 0) &&
                  !(status.st_mode & (S_IWGRP | S_IWOTH));
  free(directory);
  return !is_alone;
}

static bool is_own(const struct stat *status, const char *path) {
  return status->st_nlink <= 1 &&
         (status->st_uid == geteuid() || !is_shared_directory(path));
}

/* Removes what is not ours; `file` is -1 of a link, or where it may not even be
** read. 0: the name is free, or was by now. */
static int remove_foreign(int file, const char *path) {
  struct stat opened, named;
  if (file >= 0) {
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
      return errno == EWOULDBLOCK ? EWOULDBLOCK : EACCES;
    }
    if (lstat(path, &named) != 0 || fstat(file, &opened) != 0 ||
        named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) {
      return 0;
    }
  }
  return unlink(path) == 0 || errno == ENOENT ? 0 : SV_FILE_FOREIGN;
}

/* Of a name that is taken: 0, an errno, or SV_FILE_CHANGED to look once more. */
static int open_there(int *file, const char *path, int flags, bool is_private) {
  struct stat status;
  *file = open(path, flags);
  int denied = *file < 0 && errno == EACCES ? EACCES : 0;
  if (denied) {
    *file = open(path, O_RDONLY | (flags & ~O_ACCMODE));
  }
  bool is_link = *file < 0 && (errno == ELOOP || errno == EMLINK);
  if (*file < 0 && !is_link && !(denied && is_private)) {
    return errno;
  }
  int problem = *file >= 0 ? look(*file) : 0;
  if (problem || (*file >= 0 && fstat(*file, &status) == 0 &&
                  is_own(&status, path))) {
    return problem ? problem : denied;
  }
  if ((flags & O_ACCMODE) == O_RDONLY) {
    return ENOENT;
  }
  problem = remove_foreign(*file, path);
  return problem ? problem : SV_FILE_CHANGED;
}

static int open_own_once(int *file, const char *path, sv_file_access access,
                         bool is_private) {
  int flags = flags_of[access] | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
  int problem = open_there(file, path, flags & ~(O_CREAT | O_TRUNC), is_private);
  if (problem == ENOENT && (flags & O_CREAT)) {
    *file = open(path, flags | O_EXCL, is_private ? 0600 : 0666);
    problem = *file >= 0 ? 0 : errno == EEXIST ? SV_FILE_CHANGED : errno;
  }
  if (!problem && (flags & O_TRUNC)) {
    problem = problem_of(ftruncate(*file, 0));
  }
  if (problem && *file >= 0) {
    close(*file);
    *file = -1;
  }
  return problem;
}

int sv_file_open_own(int *file, const char *path, sv_file_access access,
                     bool is_private) {
  int problem = SV_FILE_CHANGED;
  sv_descriptor_fill_standard();
  for (int tries = 0; tries < MOST_TRIES && problem == SV_FILE_CHANGED;
       tries++) {
    problem = open_own_once(file, path, access, is_private);
  }
  return problem == SV_FILE_CHANGED ? SV_FILE_FOREIGN : problem;
}

int sv_file_close(int file) {
  return problem_of(close(file));
}

int sv_file_size(int file, long long *size) {
  struct stat status;
  int problem = problem_of(fstat(file, &status));
  *size = problem ? -1 : (long long)status.st_size;
  return problem;
}

int sv_file_truncate(int file, long long size) {
  return problem_of(ftruncate(file, (off_t)size));
}

int sv_file_seek(int file, long long position) {
  return lseek(file, (off_t)position, SEEK_SET) < 0 ? errno : 0;
}

int sv_file_read(int file, void *bytes, size_t room, size_t *count) {
  ssize_t got;
  do {
    got = read(file, bytes, room);
  } while (got < 0 && errno == EINTR);
  *count = got > 0 ? (size_t)got : 0;
  return got < 0 ? errno : 0;
}

int sv_file_read_at(int file, long long position, void *bytes, size_t room,
                    size_t *count) {
  ssize_t got;
  *count = 0;
  do {
    got = pread(file, (char *)bytes + *count, room - *count,
                (off_t)(position + (long long)*count));
    *count += got > 0 ? (size_t)got : 0;
  } while (got > 0 ? *count < room : got < 0 && errno == EINTR);
  return got < 0 ? errno : 0;
}

int sv_file_write(int file, const char *bytes, size_t size, size_t *written) {
  *written = 0;
  while (*written < size) {
    ssize_t count = write(file, bytes + *written, size - *written);
    if (count < 0 && errno != EINTR) {
      return errno;
    }
    *written += count > 0 ? (size_t)count : 0;
  }
  return 0;
}

/* On macOS fsync leaves it in the memory of the disk. */
static int sync_whole(int file) {
#ifdef F_FULLFSYNC
  if (fcntl(file, F_FULLFSYNC) == 0) {
    return 0;
  }
#endif
  return fsync(file);
}

int sv_file_sync(int file) {
  int problem;
  do {
    problem = problem_of(sync_whole(file));
  } while (problem == EINTR);
  if (problem == EINVAL || problem == ENOSYS || problem == ENOTSUP) {
    return 0;
  }
  bool emptied = problem && ftruncate(file, 0) == 0;
  (void)emptied;
  return problem;
}

const char *sv_file_problem(int problem) {
  return problem == ENXIO ? "it is a pipe, a socket or a device, not a file"
         : problem == EWOULDBLOCK ? "another program has locked it"
         : problem == SV_FILE_CHANGED ? "it was changed meanwhile"
         : problem == SV_FILE_DANGLING
             ? "it is a link to something that does not exist"
         : problem == SV_FILE_FOREIGN
             ? "something of that name is a link or another account's, and may"
               " not be removed"
             : strerror(problem);
}

/* --- what a file lies on -------------------------------------------------- */

#if defined __linux__

/* Of <linux/magic.h> and of modules that are not in it. FUSE's is that of many
** file systems, which the table of mounts tells apart. */
static const struct {
  unsigned long kind;
  const char *name;
} kinds[] = {
    {0xEF53, "ext4"},           {0x58465342, "xfs"},
    {0x9123683E, "btrfs"},      {0x01021994, "tmpfs"},
    {0x794C7630, "overlay"},    {0x2FC12FC1, "zfs"},
    {0xF2F52010, "f2fs"},       {0x4D44, "vfat"},
    {0x2011BAB0, "exfat"},      {0x7366746E, "ntfs3"},
    {0xCA451A4E, "bcachefs"},   {0x6969, "nfs"},
    {0x517B, "smb"},            {0xFF534D42, "cifs"},
    {0xFE534D42, "smb3"},       {0x01021997, "9p"},
    {0x5346414F, "afs"},        {0x6B414653, "afs"},
    {0x00C36400, "ceph"},       {0x73757245, "coda"},
    {0x0BD00BD0, "lustre"},     {0x47504653, "gpfs"},
    {0x7461636F, "ocfs2"},      {0x01161970, "gfs2"},
    {0x19830326, "beegfs"},     {0x20030528, "orangefs"},
    {0x786F4256, "vboxsf"},     {0xBACBACBC, "vmhgfs"},
    {0x65735546, "fuse"},
};

/* A line of it: "36 35 98:0 /mnt1 /mnt2 rw,noatime shared:1 - ext3 /dev/root
** rw"; a blank within a name is written \040. */
static bool is_mount(char *line, dev_t device, char *name) {
  unsigned major, minor;
  char *type = strstr(line, " - ");
  if (!type || sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
      makedev(major, minor) != device) {
    return false;
  }
  type += strlen(" - ");
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%.*s", (int)strcspn(type, " \n"), type);
  return true;
}

static void look_up_mount(const char *path, char *name) {
  struct stat status;
  FILE *mounts = fopen("/proc/self/mountinfo", "re");
  char *line = NULL;
  size_t room = 0;
  bool found = !mounts || stat(path, &status) != 0;
  while (!found && getline(&line, &room, mounts) >= 0) {
    found = is_mount(line, status.st_dev, name);
  }
  free(line);
  if (mounts) {
    fclose(mounts);
  }
}

static bool name_of(const char *path, char *name) {
  struct statfs status;
  if (statfs(path, &status) != 0) {
    return false;
  }
  unsigned long kind = (unsigned long)status.f_type & 0xFFFFFFFFUL;
  snprintf(name, SV_FILE_SYSTEM_ROOM, "0x%lx", kind);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (kinds[i].kind == kind) {
      snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", kinds[i].name);
    }
  }
  if (strcmp(name, "fuse") == 0) {
    look_up_mount(path, name);
  }
  return true;
}

#else

static bool name_of(const char *path, char *name) {
  struct statfs status;
  if (statfs(path, &status) != 0) {
    return false;
  }
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%s", status.f_fstypename);
  return true;
}

#endif

void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]) {
  *name = '\0';
  if (!name_of(path, name)) {
    char *directory = sv_file_directory_of(path);
    if (directory) {
      name_of(directory, name);
    }
    free(directory);
  }
}

int sv_file_room(const char *folder, double *bytes, char name[SV_FILE_SYSTEM_ROOM]) {
  struct statvfs room;
  struct stat status;
  if (statvfs(folder, &room) != 0 || stat(folder, &status) != 0) {
    return errno;
  }
  *bytes = (double)room.f_bavail * (double)room.f_frsize;
  snprintf(name, SV_FILE_SYSTEM_ROOM, "%llu", (unsigned long long)status.st_dev);
  return room.f_blocks > 0 ? 0 : ENOTSUP; /* one that is only a view of others */
}
