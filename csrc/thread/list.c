#include "thread/list.h"

#include <stddef.h>

#include "rules/visibility.h"

void sv_list_push(sv_list *list, sv_link *link) {
  sv_link *last = __atomic_load_n(&list->last, __ATOMIC_RELAXED);
  do {
    link->next = last;
  } while (!__atomic_compare_exchange_n(&list->last, &last, link, true,
                                        __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
}

sv_link *sv_list_take(sv_list *list) {
  sv_link *link = __atomic_exchange_n(&list->last, NULL, __ATOMIC_SEQ_CST);
  sv_link *turned = NULL;
  while (link) {
    sv_link *next = link->next;
    link->next = turned;
    turned = link;
    link = next;
  }
  return turned;
}

bool sv_list_is_empty(const sv_list *list) {
  return !__atomic_load_n(&list->last, __ATOMIC_SEQ_CST);
}
