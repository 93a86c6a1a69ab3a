/*
** A value of the host's language, without that language: what the binding
** makes of its tables and what the rules look at.
**
** Strings and entries belong to the host and must outlive the call that
** looks at them; nothing here allocates. A table is a chain of entries in
** any order: a host whose tables are hashes need not sort, sv_order does.
*/
#ifndef SV_RULES_VALUE_H
#define SV_RULES_VALUE_H

#include <stdbool.h>
#include <stddef.h>

/* Past this a double no longer tells whole numbers apart. */
#define SV_MAX_WHOLE 9007199254740992.0

typedef enum sv_kind {
  SV_ABSENT,
  SV_TEXT,
  SV_NUMBER,
  SV_TABLE,
  SV_NULL,  /* JSON's null, where the host has a value for it */
  SV_OTHER  /* whatever no field can hold: true, a function ... */
} sv_kind;

typedef struct sv_entry sv_entry;

typedef struct sv_value {
  sv_kind kind;
  union {
    struct {
      const char *at; /* may hold any byte, NUL too */
      size_t length;  /* bytes */
    } text;
    double number;
    sv_entry *entries; /* SV_TABLE; NULL = empty */
    const char *type;  /* SV_OTHER: the host's word for its type */
  } as;
} sv_value;

struct sv_entry {
  sv_entry *next;
  sv_value key;
  sv_value value;
};

sv_value sv_text(const char *text);
sv_value sv_number(double number);

bool sv_is_text(const sv_value *value, const char *text);

/* A word for the type of a value that is present: "number", "null" ... */
const char *sv_type(const sv_value *value);

/* 8, 8.0 and 1e300 are whole; 8.5, NaN and infinity are not. */
bool sv_is_whole(double number);

/* The place in an array that a key stands for: 1 or more; 0 if none. */
double sv_position(const sv_value *key);

/* Relinks a chain in the order of its keys and returns the new first entry:
** numbers ascending, then strings bytewise, then the rest by type. In n log n
** steps at most, in n when it is in order already. */
sv_entry *sv_order(sv_entry *first);

#endif
