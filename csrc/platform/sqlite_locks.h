/*
** SQLite files in a child of a fork. SQLite remembers in the memory of the
** process which locks it has, and a child inherits the memory but no lock: it
** would write to a log that other processes, which see no lock, remove.
**
** The locks are those of SQLite's file format, held besides its own. May be
** called on any thread. Where there is no fork, there is nothing to do.
*/
#ifndef SV_PLATFORM_SQLITE_LOCKS_H
#define SV_PLATFORM_SQLITE_LOCKS_H

/* The database at a path was opened, in WAL mode. */
void sv_sqlite_locks_note(const char *path);

/* To be called before it is opened: where a parent had it open, takes the
** locks that the child lacks. 0; ENOENT: the parent has closed it since, and
** in this process it cannot be opened any more; or another errno. */
int sv_sqlite_locks_claim(const char *path);

#endif
