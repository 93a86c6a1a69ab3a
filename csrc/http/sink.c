#include "http/sink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "system/fork.h"
#include "system/lock.h"
#include "system/process.h"

#include "rules/visibility.h"

enum {
  FIRST_NOTE = 16 * 1024,
  MOST_UNNOTED = 1024 * 1024
};

void sv_sink_init(sv_sink *sink) {
  memset(sink, 0, sizeof *sink);
  sink->file = sink->notes = sv_descriptor_of(-1);
}

/* Without notes a file cannot be continued, and that is all. */
static void open_notes(sv_sink *sink, const char *notes, const char *before) {
  int file;
  if (!notes || (sink->offset > 0 && !before)) {
    return;
  }
  snprintf(sink->before, sizeof sink->before, "%s", before ? before : "");
  if (sv_file_open_own(&file, notes, SV_FILE_CREATE, true) == 0) {
    sink->notes = sv_descriptor_of(file);
  }
}

int sv_sink_open(sv_sink *sink, const char *path, long long offset, bool sync,
                 const char *notes, const char *before) {
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
  sink->offset = sink->noted = offset;
  sink->written = 0;
  open_notes(sink, notes, before);
  return 0;
}

/* --- notes ---------------------------------------------------------------- */

static bool keeps_notes(const sv_sink *sink) {
  return sv_descriptor_holds(&sink->notes) && sink->process == sv_process_id();
}

/* What cannot be noted is fetched again. */
static void write_notes(const sv_sink *sink, const char *record) {
  char text[SV_SINK_NOTES + 1];
  size_t written;
  snprintf(text, sizeof text, "%-*s\n", SV_SINK_NOTES - 1, record);
  if (sv_file_seek(sink->notes.number, 0) == 0) {
    sv_file_write(sink->notes.number, text, SV_SINK_NOTES, &written);
  }
}

/* What is in the file already is noted as it stands. */
static void note(sv_sink *sink) {
  char record[SV_SINK_NOTES], sha256[SV_SHA256_HEX];
  long long bytes = sink->offset + sink->written;
  if (!keeps_notes(sink) || !sink->digest || bytes == sink->noted ||
      sv_digest_so_far(sink->digest, sha256) != 0) {
    return;
  }
  snprintf(record, sizeof record,
           "{\"bytes\":%lld,\"sha256\":\"%s\",\"from\":%lld,"
           "\"before\":\"%s\"}",
           bytes, sha256, sink->offset, sink->before);
  write_notes(sink, record);
  sink->noted = bytes;
}

static void note_if_due(sv_sink *sink) {
  long long unnoted = sink->offset + sink->written - sink->noted;
  if (unnoted >= MOST_UNNOTED ||
      (unnoted >= FIRST_NOTE && unnoted >= sink->noted)) {
    note(sink);
  }
}

/* --- what comes ----------------------------------------------------------- */

/* What the file holds already may be gigabytes: it is read in the end, when no
** server waits for us. */
static int begin_digest(sv_sink *sink) {
  sink->noted = sink->offset;
  if (sink->offset == 0 && keeps_notes(sink)) {
    write_notes(sink, ""); /* before the former body is emptied */
    sink->before[0] = '\0';
  }
  if (sink->offset == 0 || keeps_notes(sink)) {
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
  problem = problem ? problem : begin_digest(sink);
  if (!problem && size > sink->offset) {
    problem = sv_file_truncate(file, sink->offset);
  }
  return problem ? problem : sv_file_seek(file, sink->offset);
}

int sv_sink_write(sv_sink *sink, const char *bytes, size_t size) {
  size_t written = 0;
  int problem = look(sink);
  problem = problem ? problem : sv_file_write(sink->file.number, bytes, size,
                                              &written);
  sink->written += (long long)written;
  if (written > 0 && sink->digest) { /* also of what a full disk has cut */
    int digesting = sv_digest_add(sink->digest, bytes, written);
    problem = problem ? problem : digesting;
  }
  if (!problem) {
    note_if_due(sink);
  }
  return problem;
}

int sv_sink_close(sv_sink *sink) {
  if (sink->file.number < 0) {
    return 0;
  }
  note(sink);
  sv_descriptor_close(&sink->notes);
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
                      const _Atomic int *stop) {
  note(sink);
  sv_digest *digest = sink->digest;
  sink->digest = NULL;
  int problem = sink->offset == 0
                    ? sv_digest_end(digest, hex)
                    : sv_digest_file(sink->file.number, 0, -1, hex, stop);
  sv_digest_free(digest);
  return problem;
}

int sv_sink_finish(sv_sink *sink, char hex[SV_SHA256_HEX], const _Atomic int *stop) {
  int lost = look(sink);
  int problem = lost ? lost : end_digest(sink, hex, stop);
  int syncing = sink->sync && !lost ? sv_file_sync(sink->file.number) : 0;
  sv_fork_hold();
  int closing = sv_sink_close(sink);
  sv_fork_release();
  return problem ? problem : syncing ? syncing : closing;
}
