#include "rules/checks.h"

#include <stdio.h>
#include <string.h>

#include "rules/visibility.h"

bool sv_is_given(const sv_value *value) {
  return value->kind != SV_ABSENT && value->kind != SV_NULL;
}

bool sv_has_references(const sv_checked *r, sv_field field) {
  const sv_value *list = r->fields[field];
  return sv_takes(r->model, field) && sv_is_given(list) &&
         (list->kind != SV_TABLE || list->as.entries);
}

/* There is always room for the dots, which end the list where a word would
** leave none. */
void sv_add_word(char list[SV_LIST_SIZE], const char *word) {
  static const char dots[] = ", ...";
  const char *comma = list[0] != '\0' ? ", " : "";
  size_t used = strlen(list), tail = strlen(dots);
  if (used >= tail && strcmp(list + used - tail, dots) == 0) {
    return;
  }
  if (used + strlen(comma) + strlen(word) + sizeof dots <= SV_LIST_SIZE) {
    snprintf(list + used, SV_LIST_SIZE - used, "%s%s", comma, word);
  } else {
    strcpy(list + used, dots);
  }
}
