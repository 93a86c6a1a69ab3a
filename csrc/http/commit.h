/*
** The last step of a download: the finished file is synced and renamed, or the
** part that is not needed is removed. Neither touches a file that another
** download is writing. May be called on any thread; both may take long.
*/
#ifndef SV_HTTP_COMMIT_H
#define SV_HTTP_COMMIT_H

#include <stdbool.h>

/* Fsyncs `part`, which must hold `size` bytes, renames it to `path` and fsyncs
** the directory. 0 or an errno: EWOULDBLOCK where another writer holds `part`,
** EEXIST where `path` exists and `overwrite` is false, also when another
** process has made it just now; SV_FILE_CHANGED where `part` has another size. */
int sv_commit(const char *part, const char *path, long long size,
              bool overwrite);

/* Removes `part`, or only an empty one. 0, also where there is none, or an
** errno; EWOULDBLOCK as above. */
int sv_discard(const char *part, bool only_empty);

#endif
