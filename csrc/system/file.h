/*
** Regular files, told from what only stands under a name like one: a pipe, a
** socket or a device, on which a thread that opens or reads it could wait for
** ever.
**
** An open file is a descriptor of the C library's, its opener's to close; no
** program that the host starts inherits it. What returns an int gives 0 or an
** errno. Sizes and positions are in bytes. All may be called on any thread.
*/
#ifndef SV_SYSTEM_FILE_H
#define SV_SYSTEM_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Beside the errnos, for not every system has one for it: what stands under the
** name, or in the file, is not what it was; the name is a link to something that
** does not exist; what stands there is not ours, and cannot be removed. */
enum { SV_FILE_CHANGED = 10000, SV_FILE_DANGLING, SV_FILE_FOREIGN };

/* --- by name -------------------------------------------------------------- */

/* "file", "directory" or "other"; NULL where there is none, or none to be
** seen. */
const char *sv_file_kind(const char *path);

/* -1 where there is none. */
long long sv_file_size_at(const char *path);

bool sv_file_is_readable(const char *path);

/* Makes an empty file that its owner alone may read; EEXIST where there is
** something of that name. */
int sv_file_create_private(const char *path);

/* Not a directory. */
int sv_file_remove(const char *path);

/* EEXIST where `to` exists and `overwrite` is false, also when it came up this
** moment. */
int sv_file_rename(const char *from, const char *to, bool overwrite);

/* Makes a directory and all above it that are missing; 0 also where it is
** there. ENOTDIR where something else is. */
int sv_file_make_directory(const char *path);

/* The directory in which a path's name stands, "." of a name alone; NULL where
** memory is short. The caller frees it. */
char *sv_file_directory_of(const char *path);

/* Makes the disk remember the names in a directory. 0 also where the file
** system cannot do that. */
int sv_file_sync_directory(const char *path);

/* --- open files ----------------------------------------------------------- */

typedef enum sv_file_access {
  SV_FILE_READ,
  SV_FILE_UPDATE,  /* reads and writes what there is */
  SV_FILE_CREATE,  /* the same; made where there is none */
  SV_FILE_REPLACE, /* writes; made, or emptied */
  SV_FILE_APPEND   /* writes at the end; made where there is none */
} sv_file_access;

/* Opens a regular file, and never waits for it; one that is made is its
** owner's alone where it `is_private`. `file` is -1 where that fails: EISDIR
** of a directory, ENXIO of what is no file at all. */
int sv_file_open(int *file, const char *path, sv_file_access access,
                 bool is_private);

/* The same of a file that this library keeps beside one of the user's, where
** somebody else may have put something first: a link, by which we would write
** elsewhere; a file with another name (a hard link); or, in a directory that
** others may write to, a file of another account. That is never read (ENOENT) nor
** written: it is removed, or SV_FILE_FOREIGN where we may not. EWOULDBLOCK where
** somebody has it locked and so is using it; EACCES where nobody can tell. One
** that `is_private` is never locked. Links in the path of the directory are the
** user's choice. On Windows the owner is not looked at. */
int sv_file_open_own(int *file, const char *path, sv_file_access access,
                     bool is_private);
int sv_file_close(int file);

int sv_file_size(int file, long long *size);
int sv_file_truncate(int file, long long size);
int sv_file_seek(int file, long long position);

/* Reads what is next, up to `room`; `count` is 0 at the end. */
int sv_file_read(int file, void *bytes, size_t room, size_t *count);

/* The same from a position, of a file that nothing else reads meanwhile; less
** than `room` at the end alone. */
int sv_file_read_at(int file, long long position, void *bytes, size_t room,
                    size_t *count);

/* Writes all; `written` is what went through, also where that fails. */
int sv_file_write(int file, const char *bytes, size_t size, size_t *written);

/* Waits until the disk has all of it. Where that fails the file is empty: the
** next sync would know nothing of what this one has lost, and what is read
** still comes from memory. 0 also where the file system cannot do that. */
int sv_file_sync(int file);

/* What an errno of these means, in words. */
const char *sv_file_problem(int problem);

enum { SV_FILE_SYSTEM_ROOM = 64 };

/* Writes the system's name of the file system that a path is on, or would be:
** "ext4", "nfs", "fuse.sshfs"; empty where that is not known. */
void sv_file_system_of(const char *path, char name[SV_FILE_SYSTEM_ROOM]);

/* Bytes that this user may still write where a folder is, and what tells its file
** system from others. 0 or an errno, also where the system does not count them. */
int sv_file_room(const char *folder, double *bytes, char name[SV_FILE_SYSTEM_ROOM]);

#endif
