/*
** A message from when an actor takes it until its sender has looked at its end.
**
** The question and the answer are the thread's until the message has ended.
** For actors and their threads; others see a message through actor.h.
*/
#ifndef SV_THREAD_MESSAGE_H
#define SV_THREAD_MESSAGE_H

#include <stdbool.h>

#include "rules/buffer.h"
#include "thread/outbox.h"

typedef struct sv_message {
  sv_item item;
  sv_buffer question, answer;
  bool kept; /* answered though it was given up */
} sv_message;

#endif
