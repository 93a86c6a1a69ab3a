/*
** What an actor does, on its thread.
*/
#ifndef SV_THREAD_HANDLER_H
#define SV_THREAD_HANDLER_H

#include "rules/buffer.h"

/* Each gets what `begin` gave; what waits for others calls
** sv_activity_heartbeat before. */
typedef struct sv_handler {
  /* NULL where memory is short; tried again with the next message. `setup`
  ** stays where it is until `end`. */
  void *(*begin)(const sv_buffer *setup);
  void (*answer)(void *self, const sv_buffer *question, sv_buffer *answer);
  /* Undo the last answer: nobody got it. */
  void (*undo)(void *self);
  /* There are no messages: seconds until this is to be called again, less than
  ** 0: after the next message. */
  double (*idle)(void *self);
  void (*end)(void *self);
} sv_handler;

#endif
