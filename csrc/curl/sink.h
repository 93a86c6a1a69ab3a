/*
** A file that takes the body of an answer. It is opened before the request is
** sent, so that a path that cannot be written costs no exchange; locked
** against a second writer; and not truncated before a whole new body arrives.
** The body is digested while it is written; a file that is continued is read
** once more for that in the end.
*/
#ifndef SV_CURL_SINK_H
#define SV_CURL_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "platform/descriptor.h"
#include "platform/digest.h"

typedef struct sv_sink {
  sv_descriptor file;
  bool sync;
  long process; /* that opened it */
  sv_digest *digest; /* on the way; NULL of a file that is continued */
  long long offset;  /* where a continued body begins */
  long long written; /* by this transfer */
  long long given_to_disk; /* up to here, from the file's start */
} sv_sink;

/* 0, or an errno; EWOULDBLOCK where another writer holds the file. */
int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync);

/* Take a whole body (resumed false: the file is emptied) or the rest of one;
** SV_FILE_CHANGED where less is there before it than was. */
int sv_sink_begin(sv_sink *sink, bool resumed);
int sv_sink_write(sv_sink *sink, const char *bytes, size_t size);

/* Once all has come: gives the SHA-256 of the whole file in lowercase hex,
** syncs where asked for, and closes. May take long: not to be called between
** sv_atfork_hold and sv_atfork_release. 0 or an errno; ECANCELED of a digest once
** `stop` is set. */
int sv_sink_finish(sv_sink *sink, char hex[SV_SHA256_HEX], const int *stop);

/* Closes, whatever has come. */
int sv_sink_close(sv_sink *sink);

#endif
