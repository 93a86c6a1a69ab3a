/*
** A file that takes the body of an answer. Opened before the request is
** sent, so that a full or forbidden disk costs no exchange; locked against a
** second writer; not truncated until a whole new body arrives.
*/
#ifndef SV_SINK_H
#define SV_SINK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sv_sink {
  int file; /* -1: none */
  bool sync;
  long long offset;  /* where a continued body begins */
  long long written; /* by this transfer */
} sv_sink;

/* 0, or an errno; EWOULDBLOCK where another writer holds the file. */
int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync);

/* Take a whole body (resumed false: the file is emptied) or the rest of one. */
int sv_sink_begin(sv_sink *sink, bool resumed);
int sv_sink_write(sv_sink *sink, const char *bytes, size_t size);

/* Closes; fsyncs before where asked for and `whole`. */
int sv_sink_close(sv_sink *sink, bool whole);

#endif
