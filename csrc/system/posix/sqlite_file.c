#define _GNU_SOURCE /* statx, F_OFD_SETLK */

#include "system/sqlite_file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#if defined __linux__
#include <sys/sysmacros.h>
#endif
#include <unistd.h>

#include "system/clock.h"
#include "system/descriptor.h"
#include "system/file.h"
#include "system/process.h"

#include "rules/visibility.h"

/* What SQLite's file formats say: what a reader locks of a database, and the byte
** of its shared memory that every user of it has locked. */
enum { SHARED_FIRST = 0x40000002, SHARED_SIZE = 510, IN_USE = 128 };

/* --- what a path leads to -------------------------------------------------- */

typedef struct seen {
  bool is_there, is_mounted;
  dev_t device;
  ino_t inode;
  nlink_t links;
} seen;

static bool is_same(const seen *a, const seen *b) {
  return a->device == b->device && a->inode == b->inode;
}

static seen seen_of(const struct stat *status) {
  return (seen){true, false, status->st_dev, status->st_ino, status->st_nlink};
}

static seen look_at(const char *path) {
  struct stat status;
  seen none = {false, false, 0, 0, 0};
  return stat(path, &status) == 0 ? seen_of(&status) : none;
}

/* Only statx tells a mounted file: device and inode are those of the file. Old
** kernels lack it, and old containers forbid it. */
#ifdef STATX_BASIC_STATS
#ifndef STATX_ATTR_MOUNT_ROOT
#define STATX_ATTR_MOUNT_ROOT 0x2000
#endif
static seen look_at_database(const char *path) {
  struct statx status;
  if (statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &status) != 0) {
    return look_at(path);
  }
  return (seen){true, (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
                makedev(status.stx_dev_major, status.stx_dev_minor),
                (ino_t)status.stx_ino, status.stx_nlink};
}
#else
static seen look_at_database(const char *path) {
  return look_at(path);
}
#endif

/* --- the lock -------------------------------------------------------------- */

/* One for each file, whoever has it open in this process. Its descriptor stays
** open when the lock is dropped, for closing it would drop SQLite's locks; until
** nobody can open the file any more. */
typedef struct hold {
  struct hold *next;
  sv_descriptor file;
  long process;
  int users;
} hold;

#define FREE PTHREAD_MUTEX_INITIALIZER

static pthread_mutex_t lock = FREE;
static hold *all; /* under the lock */

static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Another thread of the parent's may have held it. */
static void in_child(void) {
  const pthread_mutex_t free_again = FREE;
  lock = free_again;
}

/* A module that is unloaded with its Lua state would forget its descriptors. */
static void start(void) {
  sv_module_keep(&all);
  pthread_atfork(NULL, NULL, in_child);
}

static void take_lock(void) {
  pthread_once(&once, start);
  pthread_mutex_lock(&lock);
}

/* A file that is removed while it is locked is only worth a lock to those that
** still have it open. */
static bool is_useless(const hold *one, bool is_inherited) {
  struct stat status;
  bool is_ours = one->process == sv_process_id();
  if (is_inherited || !sv_descriptor_holds(&one->file)) {
    return is_inherited ? !is_ours : one->users == 0;
  }
  return is_ours && one->users == 0 &&
         fstat(one->file.number, &status) == 0 && status.st_nlink == 0;
}

static void forget(bool is_inherited) {
  hold **link = &all;
  while (*link) {
    hold *one = *link;
    if (is_useless(one, is_inherited)) {
      *link = one->next;
      sv_descriptor_close(&one->file);
      free(one);
    } else {
      link = &one->next;
    }
  }
}

static void set_lock(const hold *one, short type) {
#ifdef F_OFD_SETLK
  struct flock range = {.l_type = type, .l_whence = SEEK_SET,
                        .l_start = SHARED_FIRST,
                        .l_len = SHARED_SIZE};
  if (sv_descriptor_holds(&one->file)) {
    fcntl(one->file.number, F_OFD_SETLK, &range);
  }
#else
  (void)one;
  (void)type;
#endif
}

static hold *find(const seen *database) {
  hold *one = all;
  while (one && !(one->process == sv_process_id() &&
                  one->file.device == (unsigned long long)database->device &&
                  one->file.inode == database->inode &&
                  sv_descriptor_holds(&one->file))) {
    one = one->next;
  }
  return one;
}

static hold *add(const char *path) {
  hold *one = calloc(1, sizeof *one);
  int file = one ? open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;
  if (file < 0) {
    free(one);
    return NULL;
  }
  one->file = sv_descriptor_of(file);
  one->process = sv_process_id();
  one->next = all;
  all = one;
  return one;
}

/* NULL where there is no descriptor for it. */
static hold *take_hold(const char *path, const seen *database) {
  take_lock();
  forget(false);
  hold *one = find(database);
  one = one ? one : add(path);
  if (one && one->users++ == 0) {
    set_lock(one, F_RDLCK);
  }
  pthread_mutex_unlock(&lock);
  return one;
}

/* That of a parent is the parent's to drop. */
static void drop_hold(hold *one, long process, bool keeps_lock) {
  take_lock();
  if (process == sv_process_id() && --one->users == 0 && !keeps_lock) {
    set_lock(one, F_UNLCK);
  }
  pthread_mutex_unlock(&lock);
}

/* --- a file ---------------------------------------------------------------- */

struct sv_sqlite_file {
  char *path, *log, *memory;
  bool is_known, is_stable;
  seen first;        /* when it was opened first */
  seen wal, shared;  /* when it was opened last */
  hold *held;
  long process;
};

/* The path of the log ("-wal") or the shared memory ("-shm") of a database;
** SQLite names them by what a link points to. NULL where memory is short; the
** caller frees it. */
static char *beside(const char *path, const char *end) {
  char *real = realpath(path, NULL);
  const char *name = real ? real : path;
  size_t size = strlen(name) + strlen(end) + 1;
  char *text = malloc(size);
  if (text) {
    snprintf(text, size, "%s%s", name, end);
  }
  free(real);
  return text;
}

static seen look_beside(char **name, const char *path, const char *end) {
  free(*name);
  *name = beside(path, end);
  return *name ? look_at(*name) : (seen){0};
}

static mode_t mode_of(const char *path) {
  struct stat status;
  return stat(path, &status) == 0 ? status.st_mode : 0;
}

/* Through no descriptor: closing one would drop SQLite's locks on the file. What is
** beside a database that was once read-only still is: it gets the `least` rights. */
static sv_sqlite_rights take_from_others(const char *path, mode_t least) {
  struct stat status;
  if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) {
    return SV_SQLITE_PRIVATE;
  }
  bool is_private = !(status.st_mode & S_IRWXO);
  mode_t mode = (status.st_mode | least) & (S_IRWXU | S_IRWXG);
  if (is_private && mode == (status.st_mode & (S_IRWXU | S_IRWXG))) {
    return SV_SQLITE_PRIVATE;
  }
  bool is_done =
      status.st_uid == geteuid() &&
      (fchmodat(AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW) == 0 ||
       ((errno == ENOTSUP || errno == EINVAL) && chmod(path, mode) == 0));
  return is_private ? SV_SQLITE_PRIVATE
         : is_done  ? SV_SQLITE_MADE_PRIVATE
                    : SV_SQLITE_OPEN;
}

sv_sqlite_rights sv_sqlite_file_make_private(const char *path) {
  static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
  sv_sqlite_rights most = SV_SQLITE_PRIVATE;
  if (mknod(path, S_IFREG | S_IRUSR | S_IWUSR, 0) != 0 && errno != EEXIST) {
    sv_file_create_private(path); /* root alone may call mknod on some systems */
  }
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
    char *name = beside(path, ends[i]);
    sv_sqlite_rights found =
        name ? take_from_others(name, mode_of(path)) : SV_SQLITE_PRIVATE;
    most = found > most ? found : most;
    free(name);
  }
  return most;
}

sv_sqlite_file *sv_sqlite_file_new(const char *path) {
  sv_sqlite_file *file = calloc(1, sizeof *file);
  if (file && !(file->path = strdup(path))) {
    free(file);
    return NULL;
  }
  return file;
}

/* A system that gives two numbers to one file gives none that stays. */
static bool is_stable(const sv_sqlite_file *file, const seen *now) {
  seen again = look_at(file->path);
  bool agrees = is_same(now, &again);
  if (agrees && file->held) {
    agrees = file->held->file.device == (unsigned long long)now->device &&
             file->held->file.inode == now->inode;
  }
  return agrees;
}

void sv_sqlite_file_open(sv_sqlite_file *file) {
  sv_sqlite_file_close(file);
  seen now = look_at_database(file->path);
  file->held = now.is_there ? take_hold(file->path, &now) : NULL;
  file->process = sv_process_id();
  if (!file->is_known && now.is_there) {
    file->first = now;
    file->is_known = true;
    file->is_stable = is_stable(file, &now);
  }
  file->wal = look_beside(&file->log, file->path, "-wal");
  file->shared = look_beside(&file->memory, file->path, "-shm");
}

/* Where it was not there when the database was opened, it cannot be another. */
static bool is_other(const char *path, const seen *opened) {
  if (!opened->is_there) {
    return false;
  }
  seen now = look_at(path);
  return !now.is_there || !is_same(&now, opened);
}

sv_sqlite_place sv_sqlite_file_look(const sv_sqlite_file *file) {
  seen now = look_at_database(file->path);
  if (!now.is_there) {
    return SV_SQLITE_MISSING;
  } else if (file->is_stable && !is_same(&now, &file->first)) {
    return SV_SQLITE_REPLACED;
  } else if (now.is_mounted) {
    return SV_SQLITE_MOUNTED;
  } else if (now.links > 1) {
    return SV_SQLITE_LINKED;
  }
  bool is_lost = file->is_stable && (is_other(file->log, &file->wal) ||
                                     is_other(file->memory, &file->shared));
  return is_lost ? SV_SQLITE_LOG : SV_SQLITE_SAME;
}

/* By a lost log SQLite would write old pages into the file, and remove the log
** of others, if nobody had a lock. */
void sv_sqlite_file_close(sv_sqlite_file *file) {
  if (file->held) {
    drop_hold(file->held, file->process,
              sv_sqlite_file_look(file) == SV_SQLITE_LOG);
    file->held = NULL;
  }
}

void sv_sqlite_file_free(sv_sqlite_file *file) {
  sv_sqlite_file_close(file);
  free(file->path);
  free(file->log);
  free(file->memory);
  free(file);
}

/* --- in a child of a fork -------------------------------------------------- */

enum { TRIES = 200 };

static const double TRY_SECONDS = 0.005;

typedef struct sv_sqlite_locks {
  struct sv_sqlite_locks *next;
  char *path, *memory;
  struct stat file;   /* another one at this path is another database */
  struct stat shared; /* of the memory, as the process that noted it had it */
  long process;
  int users;      /* noted and not dropped */
  bool is_lost;   /* to this process */
  bool is_closed; /* by the host */
} database;

static database *databases; /* under the lock */

static bool is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static database *find_database(const char *path, const struct stat *file) {
  database *one = databases;
  while (one && !(is_same_file(&one->file, file) &&
                  strcmp(one->path, path) == 0)) {
    one = one->next;
  }
  return one;
}

static database *add_database(const char *path, const struct stat *file) {
  database *one = calloc(1, sizeof *one);
  if (!one || !(one->path = strdup(path)) ||
      !(one->memory = beside(path, "-shm"))) {
    if (one) {
      free(one->path);
    }
    free(one);
    return NULL;
  }
  one->file = *file;
  one->next = databases;
  databases = one;
  return one;
}

/* Whether SQLite still has it open in this process. */
static bool has_open(const struct stat *shared) {
  struct stat status;
  for (int file = 0, most = sv_descriptor_most(); file < most; file++) {
    if (fstat(file, &status) == 0 && is_same_file(&status, shared)) {
      return true;
    }
  }
  return false;
}

/* Where memory is short a child does not know; nothing else is lost. */
database *sv_sqlite_locks_note(const char *path) {
  struct stat file;
  if (stat(path, &file) != 0) {
    return NULL;
  }
  take_lock();
  database *one = find_database(path, &file);
  one = one ? one : add_database(path, &file);
  bool is_seen = false;
  if (one && stat(one->memory, &one->shared) == 0) {
    one->process = sv_process_id();
    is_seen = has_open(&one->shared); /* else its inode is not one that stays */
    one->users += is_seen;
  }
  pthread_mutex_unlock(&lock);
  return is_seen ? one : NULL;
}

void sv_sqlite_locks_drop(database *noted) {
  take_lock();
  noted->users--;
  pthread_mutex_unlock(&lock);
}

void sv_sqlite_locks_lose(database *noted) {
  take_lock();
  noted->is_closed = true;
  pthread_mutex_unlock(&lock);
}

static int lock_range(int file, off_t from, off_t size) {
  struct flock range = {.l_type = F_RDLCK, .l_whence = SEEK_SET,
                        .l_start = from, .l_len = size};
  for (int i = 0; i < TRIES; i++) {
    if (fcntl(file, F_SETLK, &range) == 0) {
      return 0;
    } else if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
      break;
    }
    sv_sleep(TRY_SECONDS);
  }
  return errno;
}

static int take(int *file, const char *path, off_t from, off_t size) {
  *file = open(path, O_RDWR | O_CLOEXEC);
  return *file < 0 ? errno : lock_range(*file, from, size);
}

static void close_open(int file) {
  if (file >= 0) {
    close(file);
  }
}

/* With the first lock the parent cannot remove the memory any more; by then it
** may have done so. The descriptors stay open, for closing any descriptor of a
** file releases all locks on it; unless the child got none. */
static int claim(database *one) {
  int file, memory = -1;
  struct stat there;
  int problem = take(&file, one->path, SHARED_FIRST, SHARED_SIZE);
  if (!problem && stat(one->memory, &there) != 0) {
    problem = errno;
  }
  if (!problem && !is_same_file(&there, &one->shared)) {
    problem = ENOENT;
  }
  problem = problem ? problem : take(&memory, one->memory, IN_USE, 1);
  if (problem) {
    close_open(memory);
    close_open(file);
  }
  return problem;
}

int sv_sqlite_locks_claim(const char *path) {
  int problem = 0;
  struct stat file;
  take_lock();
  forget(true);
  /* Where there is none SQLite makes one, or says why it cannot. */
  database *one = stat(path, &file) == 0 ? find_database(path, &file) : NULL;
  bool is_foreign = one && one->process != sv_process_id();
  bool is_open = one && (is_foreign || one->users > 0) &&
                 has_open(&one->shared);
  if (one && one->users > 0 && (one->is_closed || !is_open)) {
    one->is_closed = true;
    problem = EBADF;
  } else if (is_open && is_foreign) {
    problem = one->is_lost ? ENOENT : claim(one);
    one->is_lost = problem == ENOENT;
  }
  if (one && !problem) {
    one->process = sv_process_id();
  }
  pthread_mutex_unlock(&lock);
  return problem;
}
