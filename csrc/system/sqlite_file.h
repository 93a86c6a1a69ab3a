/*
** A SQLite file that this process has open, and what its path leads to. By two
** names of one file SQLite keeps two logs, and by the name of a file that was
** moved, removed or replaced others open another one: what is written then is
** seen by nobody.
**
** While it is open a lock of SQLite's file format is held besides SQLite's own,
** so that no other process takes the log for nobody's. It is not dropped where
** the host opens and closes the file, as those of POSIX are. Nothing here does
** that either. Systems that have no such locks do without.
**
** May be called on any thread; one file on one at a time.
*/
#ifndef SV_SYSTEM_SQLITE_FILE_H
#define SV_SYSTEM_SQLITE_FILE_H

typedef struct sv_sqlite_file sv_sqlite_file;

typedef enum sv_sqlite_place {
  SV_SQLITE_SAME,
  SV_SQLITE_MISSING,  /* nothing is there */
  SV_SQLITE_REPLACED, /* another file is there than when it was first opened */
  SV_SQLITE_LOG,      /* its log or shared memory is another, or missing */
  SV_SQLITE_LINKED,   /* it has several names */
  SV_SQLITE_MOUNTED   /* it is mounted, and its log is not */
} sv_sqlite_place;

/* NULL where memory is short. */
sv_sqlite_file *sv_sqlite_file_new(const char *path);

/* SQLite has opened the database, in WAL mode; may be called again after it was
** closed. */
void sv_sqlite_file_open(sv_sqlite_file *file);

/* Compares with what was opened. Where the system gives no identity that stays,
** only a missing file is seen. */
sv_sqlite_place sv_sqlite_file_look(const sv_sqlite_file *file);

/* To be called before SQLite closes it, which removes the log where nobody else
** has it open. */
void sv_sqlite_file_close(sv_sqlite_file *file);

void sv_sqlite_file_free(sv_sqlite_file *file);

typedef enum sv_sqlite_rights {
  SV_SQLITE_PRIVATE,      /* others had no right to it */
  SV_SQLITE_MADE_PRIVATE, /* they had, and lost it */
  SV_SQLITE_OPEN          /* they have: it is not ours, or the system refused */
} sv_sqlite_rights;

/* To be called before SQLite opens a database: where there is none makes an empty
** file for its owner alone, as SQLite makes the files beside it then; takes the
** rights of others, not of the group, from one of ours and what is beside it, which gets
** the other rights that the database has. On Windows what is there keeps its rights, and what is beside it has the folder's. */
sv_sqlite_rights sv_sqlite_file_make_private(const char *path);

/* --- in a child of a fork ------------------------------------------------- */

/* SQLite remembers in the memory of the process which locks it has, and a child
** inherits the memory but no lock: it would write to a log that other processes,
** which see no lock, remove. Where there is no fork, there is nothing to do. */
typedef struct sv_sqlite_locks sv_sqlite_locks; /* never freed */

/* The database at a path was opened, in WAL mode; NULL where memory is short, or
** the database is no file. What was noted is to be dropped once SQLite has closed
** it. */
sv_sqlite_locks *sv_sqlite_locks_note(const char *path);
void sv_sqlite_locks_drop(sv_sqlite_locks *noted);

/* The host has closed its descriptors: SQLite would go on with their numbers. */
void sv_sqlite_locks_lose(sv_sqlite_locks *noted);

/* To be called before it is opened: forgets what a parent holds of its files, and
** where that had this one open takes the locks that the child lacks. 0; ENOENT: the parent has closed it since, and
** in this process it cannot be opened any more; EBADF: its descriptors were
** closed while it was open, which is the same; or another errno. */
int sv_sqlite_locks_claim(const char *path);

#endif
