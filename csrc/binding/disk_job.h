/*
** Disk jobs for Lua, as parts of starvideos.curl.
*/
#ifndef SV_BINDING_DISK_JOB_H
#define SV_BINDING_DISK_JOB_H

#include "http/disk_job.h"
#include "binding/compat.h"

void sv_make_disk_job_classes(lua_State *L);

/* curl.disk(action, ...) does a job at once. */
int sv_lua_disk(lua_State *L);

/* Reads the name of an action and its arguments from `index` on. NULL where
** memory is short; raises before it takes any. */
sv_disk_job *sv_read_disk_job(lua_State *L, int index);

/* Pushes what a job that was run gives, and returns how many values; a lock is
** taken out of it. */
int sv_push_disk_job(lua_State *L, sv_disk_job *job);

/* nil and a failure with `reason` (busy, exists, changed or io), `message` and
** `errno`. */
int sv_push_problem(lua_State *L, int problem);

#endif
