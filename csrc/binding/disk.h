/*
** Files whose names are UTF-8 on every system; io.open takes those of the C
** library.
*/
#ifndef SV_BINDING_DISK_H
#define SV_BINDING_DISK_H

#include "binding/compat.h"
#include "system/disk_job.h"

/* Adds to the table on top: disk(action, ...), which does a job of disk_job.h at
** once, and gives its results, or nil and a failure with `reason` (busy, exists,
** changed or io), `message` and `errno`; and open(path, mode, own). */
void sv_add_disk(lua_State *L, sv_disk_digest *digest);

/* Reads the name of an action and its arguments from `index` on. NULL where
** memory is short; raises before it takes any. */
sv_disk_job *sv_read_disk_job(lua_State *L, int index);

/* Pushes what a job that was run gives, and returns how many values; a lock is
** taken out of it. */
int sv_push_disk_job(lua_State *L, sv_disk_job *job);

/* Pushes nil and that failure. */
int sv_push_problem(lua_State *L, int problem);

#endif
