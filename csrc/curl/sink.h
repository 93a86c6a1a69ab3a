/*
** A file that takes the body of an answer. Opened before the request is
** sent, so that a forbidden path costs no exchange; locked against a
** second writer; not truncated until a whole new body arrives. What it holds
** in the end is digested on the way, so that nobody has to read it again, but for
** one that is continued.
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
** ESTALE where less is there before it than was. */
int sv_sink_begin(sv_sink *sink, bool resumed);
int sv_sink_write(sv_sink *sink, const char *bytes, size_t size);

/* Once all has come: the SHA-256 of the whole file in lowercase hex, an fsync
** where asked for, and the end. Takes its time: not to be called while a fork
** is held up. 0 or an errno, ECANCELED of a digest once `stop` is set. */
int sv_sink_finish(sv_sink *sink, char hex[SV_SHA256_HEX], const int *stop);

/* Closes, whatever has come. */
int sv_sink_close(sv_sink *sink);

#endif
