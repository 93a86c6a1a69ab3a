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
#include <sys/types.h>

#include "platform/descriptor.h"
#include "platform/digest.h"

typedef struct sv_sink {
  sv_descriptor file;
  bool sync;
  pid_t process; /* that opened it */
  sv_digest *digest; /* on the way; NULL of a file that is continued */
  long long offset;  /* where a continued body begins */
  long long written; /* by this transfer */
  long long given_to_disk; /* up to here, from the file's start */
} sv_sink;

/* 0, or an errno; EWOULDBLOCK where another writer holds the file. */
int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync);

/* Opens a file as sv_file_open does and locks it against other writers: 0, or
** an errno and `file` -1. Closed only, it would stay locked by a child
** that was forked meanwhile. */
int sv_sink_lock(int *file, const char *path, int flags);
void sv_sink_unlock(int file);

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

/* 0 or an errno; the file is empty then. The next fsync would know nothing of
** what this one has lost, and what is read still comes from memory. */
int sv_sink_sync(int file);

#endif
