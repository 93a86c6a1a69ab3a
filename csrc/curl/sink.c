#include "curl/sink.h"

#include <errno.h>

#include "platform/atfork.h"
#include "platform/lock.h"
#include "platform/process.h"

#include "core/hidden.h"

enum { WRITE_BACK = 8 * 1024 * 1024 };

int sv_sink_open(sv_sink *sink, const char *path, long long offset,
                 bool sync) {
  int file;
  int problem = sv_lock_open(&file, path, SV_FILE_CREATE);
  if (problem) {
    return problem;
  }
  sink->digest = sv_digest_new();
  if (!sink->digest) {
    sv_lock_close(file);
    return ENOMEM;
  }
  sink->file = sv_descriptor_of(file);
  sink->sync = sync;
  sink->process = sv_process_id();
  sink->offset = offset;
  sink->written = 0;
  return 0;
}

/* What the file holds already may be gigabytes: it is read in the end, when no
** server waits for us. */
static int begin_digest(sv_sink *sink) {
  if (sink->offset == 0) {
    return sv_digest_begin(sink->digest);
  }
  sv_digest_free(sink->digest);
  sink->digest = NULL;
  return 0;
}

/* The host may have closed the file, and have one of its own there by now. */
static int look(const sv_sink *sink) {
  return sv_descriptor_holds(&sink->file) ? 0 : EBADF;
}

int sv_sink_begin(sv_sink *sink, bool resumed) {
  if (!resumed) {
    sink->offset = 0;
  }
  int file = sink->file.number;
  long long size;
  int problem = look(sink);
  problem = problem ? problem : sv_file_size(file, &size);
  if (!problem && size < sink->offset) {
    problem = SV_FILE_CHANGED;
  }
  if (!problem && size > sink->offset) {
    problem = sv_file_truncate(file, sink->offset);
  }
  problem = problem ? problem : sv_file_seek(file, sink->offset);
  if (problem) {
    return problem;
  }
  sink->given_to_disk = sink->offset;
  return begin_digest(sink);
}

/* Lets the disk write while more is received, so that the sync in the end
** takes little time. */
static void write_back(sv_sink *sink) {
  long long written = sink->offset + sink->written;
  if (sink->sync && written - sink->given_to_disk >= WRITE_BACK) {
    sv_file_write_back(sink->file.number, sink->given_to_disk,
                       written - sink->given_to_disk);
    sink->given_to_disk = written;
  }
}

int sv_sink_write(sv_sink *sink, const char *bytes, size_t size) {
  size_t written = 0;
  int problem = look(sink);
  problem = problem ? problem : sv_file_write(sink->file.number, bytes, size,
                                              &written);
  sink->written += (long long)written;
  if (!problem && sink->digest) {
    problem = sv_digest_add(sink->digest, bytes, written);
  }
  if (!problem) {
    write_back(sink);
  }
  return problem;
}

int sv_sink_close(sv_sink *sink) {
  sv_digest_free(sink->digest);
  sink->digest = NULL;
  /* A child that was forked meanwhile shares the lock; its copy of the file
  ** would keep the file locked. */
  if (look(sink) == 0 && sink->process == sv_process_id()) {
    sv_lock_unlock(sink->file.number);
  }
  return sv_descriptor_close(&sink->file);
}

/* Takes the digest out of the sink first: a child frees what is in there. */
static int end_digest(sv_sink *sink, char hex[SV_SHA256_HEX],
                      const int *stop) {
  sv_digest *digest = sink->digest;
  sink->digest = NULL;
  int problem = digest
                    ? sv_digest_end(digest, hex)
                    : sv_digest_open_file(sink->file.number, hex, stop);
  sv_digest_free(digest);
  return problem;
}

int sv_sink_finish(sv_sink *sink, char hex[SV_SHA256_HEX], const int *stop) {
  int lost = look(sink);
  int problem = lost ? lost : end_digest(sink, hex, stop);
  int syncing = sink->sync && !lost ? sv_file_sync(sink->file.number) : 0;
  sv_atfork_hold();
  int closing = sv_sink_close(sink);
  sv_atfork_release();
  return problem ? problem : syncing ? syncing : closing;
}
