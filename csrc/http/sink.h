/*
** A file that takes the body of an answer. It is opened before the request is
** sent, so that a path that cannot be written costs no exchange; locked
** against a second writer; and not truncated before a whole new body arrives.
** The body is digested while it is written; a file that is continued is read
** once more for that in the end.
**
** A sink may keep notes: a file of which it writes the first SV_SINK_NOTES bytes,
** a line of JSON and blanks, and nothing behind them. It says how many `bytes` of
** the body are in the file for certain, the `sha256` of those that came `from` an
** offset on, and the one of all `before` it. A process that is killed leaves the
** last but one that was due: at least half of what it has got, and all but 1 MiB.
*/
#ifndef SV_HTTP_SINK_H
#define SV_HTTP_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "system/descriptor.h"
#include "system/digest.h"

enum { SV_SINK_NOTES = 256 };

typedef struct sv_sink {
  sv_descriptor file;
  sv_descriptor notes; /* -1: none are kept */
  char before[SV_SHA256_HEX];
  long long noted; /* bytes of the file */
  bool sync;
  long process; /* that opened it */
  sv_digest *digest; /* of what comes; NULL where nobody needs it */
  long long offset;  /* where a continued body begins */
  long long written; /* by this transfer */
} sv_sink;

/* No file is open. */
void sv_sink_init(sv_sink *sink);

/* 0, or an errno; EWOULDBLOCK where another writer holds the file. `notes` is the
** path of a file or NULL; `before` the SHA-256 of what is to be continued, or
** NULL: no notes are kept of the rest then. */
int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync,
                 const char *notes, const char *before);

/* Take a whole body (resumed false: the file is emptied) or the rest of one;
** SV_FILE_CHANGED where less is there before it than was. */
int sv_sink_begin(sv_sink *sink, bool resumed);
int sv_sink_write(sv_sink *sink, const char *bytes, size_t size);

/* Once all has come: gives the SHA-256 of the whole file in lowercase hex,
** syncs where asked for, and closes. May take long: not to be called between
** sv_fork_hold and sv_fork_release. 0 or an errno; ECANCELED of a digest once
** `stop` is set. */
int sv_sink_finish(sv_sink *sink, char hex[SV_SHA256_HEX], const _Atomic int *stop);

/* Closes what is open, whatever has come. */
int sv_sink_close(sv_sink *sink);

#endif
