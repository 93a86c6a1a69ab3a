/*
** The last step of a download: a finished file gets its name, and the disk is
** made to remember both; or what is of no use is removed. Neither touches a
** file that somebody is writing.
*/
#ifndef SV_CURL_COMMIT_H
#define SV_CURL_COMMIT_H

#include <stdbool.h>

/* Fsyncs `part`, which must hold `size` bytes, renames it to `path` and fsyncs
** the directory. 0 or an errno: EWOULDBLOCK where another writer holds `part`,
** EEXIST where `path` exists and `overwrite` is false, also when it came up
** this moment; ESTALE where `part` has another size. */
int sv_commit(const char *part, const char *path, long long size,
              bool overwrite);

/* Removes `part`, or only an empty one. 0, also where there is none, or an
** errno; EWOULDBLOCK as above. */
int sv_discard(const char *part, bool only_empty);

#endif
