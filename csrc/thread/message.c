#include "thread/message.h"

#include <stdlib.h>

#include "rules/visibility.h"

void sv_message_drop(sv_message *message) {
  if (__atomic_sub_fetch(&message->owners, 1, __ATOMIC_ACQ_REL) > 0 ||
      message->lost) {
    return;
  }
  sv_buffer_free(&message->question);
  sv_buffer_free(&message->answer);
  free(message);
}

int sv_message_fate(const sv_message *message) {
  return __atomic_load_n(&message->fate, __ATOMIC_ACQUIRE);
}

bool sv_message_settle(sv_message *message, int fate) {
  int open = SV_OPEN;
  return __atomic_compare_exchange_n(&message->fate, &open, fate, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}
