/*
** SQLite files in a child of a fork. SQLite remembers in the memory of the
** process which locks it has, and a child inherits the memory but no lock: it
** would write to a log that other processes, which see no lock, remove.
**
** The locks are those of SQLite's file format, held besides its own. May be
** called on any thread. Where there is no fork, there is nothing to do.
*/
#ifndef SV_SYSTEM_SQLITE_LOCKS_H
#define SV_SYSTEM_SQLITE_LOCKS_H

typedef struct sv_sqlite_locks sv_sqlite_locks; /* never freed */

/* The database at a path was opened, in WAL mode; NULL where memory is short, or
** the database is no file. What was noted is to be dropped once SQLite has closed it. */
sv_sqlite_locks *sv_sqlite_locks_note(const char *path);
void sv_sqlite_locks_drop(sv_sqlite_locks *noted);

/* The host has closed its descriptors: SQLite would go on with their numbers. */
void sv_sqlite_locks_lose(sv_sqlite_locks *noted);

/* To be called before it is opened: where a parent had it open, takes the
** locks that the child lacks. 0; ENOENT: the parent has closed it since, and
** in this process it cannot be opened any more; EBADF: its descriptors were
** closed while it was open, which is the same; or another errno. */
int sv_sqlite_locks_claim(const char *path);

#endif
