/*
** What SQLite's file formats say, as far as its locks are shared with it.
*/
#ifndef SV_SYSTEM_POSIX_SQLITE_FORMAT_H
#define SV_SYSTEM_POSIX_SQLITE_FORMAT_H

/* What a reader locks of a database, and the byte of its shared memory that
** every user of it has locked. */
enum {
  SV_SQLITE_SHARED_FIRST = 0x40000002,
  SV_SQLITE_SHARED_SIZE = 510,
  SV_SQLITE_IN_USE = 128
};

/* The path of the log ("-wal") or the shared memory ("-shm") of a database;
** SQLite names them by what a link points to. NULL where memory is short; the
** caller frees it. */
char *sv_sqlite_beside(const char *path, const char *end);

#endif
