#include "rules/value.h"

#include <math.h>
#include <string.h>

#include "rules/visibility.h"

sv_value sv_text(const char *text) {
  sv_value value;
  value.kind = SV_TEXT;
  value.as.text.at = text;
  value.as.text.length = strlen(text);
  return value;
}

sv_value sv_number(double number) {
  sv_value value;
  value.kind = SV_NUMBER;
  value.as.number = number;
  return value;
}

bool sv_is_text(const sv_value *value, const char *text) {
  return value->kind == SV_TEXT && value->as.text.length == strlen(text) &&
         memcmp(value->as.text.at, text, value->as.text.length) == 0;
}

const char *sv_type(const sv_value *value) {
  static const char *const words[] = {
      [SV_ABSENT] = "nil",  [SV_TEXT] = "string", [SV_NUMBER] = "number",
      [SV_TABLE] = "table", [SV_NULL] = "null",
  };
  return value->kind == SV_OTHER ? value->as.type : words[value->kind];
}

bool sv_is_whole(double number) {
  return isfinite(number) &&
         (fabs(number) >= SV_MAX_WHOLE || number == (double)(long long)number);
}

double sv_position(const sv_value *key) {
  if (key->kind == SV_NUMBER && sv_is_whole(key->as.number) &&
      key->as.number >= 1 && key->as.number < SV_MAX_WHOLE) {
    return key->as.number;
  }
  return 0;
}

static int rank(const sv_value *key) {
  return key->kind == SV_NUMBER ? 0 : key->kind == SV_TEXT ? 1 : 2;
}

static int compare_text(const sv_value *a, const sv_value *b) {
  size_t left = a->as.text.length, right = b->as.text.length;
  int order =
      memcmp(a->as.text.at, b->as.text.at, left < right ? left : right);
  return order != 0 ? order : (left > right) - (left < right);
}

static int compare(const sv_value *a, const sv_value *b) {
  if (rank(a) != rank(b)) {
    return rank(a) - rank(b);
  }
  if (a->kind == SV_NUMBER) {
    return (a->as.number > b->as.number) - (a->as.number < b->as.number);
  }
  if (a->kind == SV_TEXT) {
    return compare_text(a, b);
  }
  return strcmp(sv_type(a), sv_type(b));
}

static sv_entry *merge(sv_entry *left, sv_entry *right) {
  sv_entry *first = NULL;
  sv_entry **tail = &first;
  while (left && right) {
    sv_entry **from = compare(&left->key, &right->key) <= 0 ? &left : &right;
    *tail = *from;
    tail = &(*from)->next;
    *from = *tail;
  }
  *tail = left ? left : right;
  return first;
}

/* A merge sort, because a chain needs no memory for it. */
static sv_entry *sort(sv_entry *first, size_t count, sv_entry **rest) {
  sv_entry *left, *right;
  if (count == 1) {
    *rest = first->next;
    first->next = NULL;
    return first;
  }
  left = sort(first, count / 2, &right);
  right = sort(right, count - count / 2, rest);
  return merge(left, right);
}

sv_entry *sv_order(sv_entry *first) {
  size_t count = 0;
  bool ordered = true;
  for (const sv_entry *entry = first; entry; entry = entry->next) {
    count++;
    if (entry->next && compare(&entry->key, &entry->next->key) > 0) {
      ordered = false;
    }
  }
  return ordered ? first : sort(first, count, &first);
}
