/*
** A message from when an actor takes it until its sender has looked at its end.
**
** The question and the answer are the thread's until the message has ended.
** Fields that several threads touch are named `atomic`. For actors and their
** threads; others see a message through actor.h.
*/
#ifndef SV_THREAD_MESSAGE_H
#define SV_THREAD_MESSAGE_H

#include <stdbool.h>

#include "rules/buffer.h"
#include "thread/outbox.h"

/* What becomes of a message; OPEN is left once. */
enum { SV_OPEN, SV_ANSWERED, SV_GIVEN_UP };

typedef struct sv_message {
  sv_item item;
  int owners; /* atomic: its sender, and until it is taken the actor */
  int fate;   /* atomic */
  sv_buffer question, answer;
  bool kept; /* answered though it was given up */

  /* The sender's alone. */
  struct sv_actor *actor;
  bool given_up;
  bool lost; /* in a fork: it is not touched any more, and a thread that an exit
                overtook may still be at it */
} sv_message;

/* Gives up one share of it. */
void sv_message_drop(sv_message *message);

int sv_message_fate(const sv_message *message);

/* Whether it was still open. */
bool sv_message_settle(sv_message *message, int fate);

#endif
