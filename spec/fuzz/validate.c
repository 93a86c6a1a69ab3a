/*
** Requests of any fields and values against each edition's catalog, and against
** one with a row of the caller's.
*/
#include "rules/validate.h"

#include "bytes.h"
#include "rules/text.h"

enum { ENTRIES = 96, TEXTS = 256, DEPTH = 3 };

static const char *const keys[] = {
#define SV_FIELD(id, name, ...) name,
#include "rules/products.inc"
    "url", "bytes", "width", "height", "promt",
};

static const char *const texts[] = {
    "videos", "starvideos_o3", "videos_fast", "videos_stable",
    "videos_stable_fast", "16:9", "9:16", "720p", "https://h/a.png",
    "http://u:p@h/?sig=1", "5", "", "\xE3\x80\x80",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

typedef struct request {
  sv_entry entries[ENTRIES];
  size_t entry_count;
  char *copies[TEXTS];
  size_t copy_count;
} request;

static sv_value take_text(request *r, bytes *b) {
  unsigned which = choose(b, COUNT(texts) + 2);
  sv_value value = sv_text(texts[which % COUNT(texts)]);
  if (which >= COUNT(texts) && r->copy_count < TEXTS) {
    size_t size;
    const char *line = take_line(b, &size);
    value.as.text.at = r->copies[r->copy_count++] = copy_exactly(line, size);
    value.as.text.length = size;
  }
  return value;
}

static sv_entry *take_entries(request *r, bytes *b, int depth);

static sv_value take_value(request *r, bytes *b, int depth) {
  static const sv_kind kinds[] = {SV_TEXT,  SV_TEXT, SV_NUMBER, SV_TABLE,
                                  SV_TABLE, SV_NULL, SV_OTHER};
  sv_value value = {kinds[choose(b, COUNT(kinds))], {{NULL, 0}}};
  if (value.kind == SV_TEXT) {
    value = take_text(r, b);
  } else if (value.kind == SV_NUMBER) {
    value = sv_number(take_number(b));
  } else if (value.kind == SV_TABLE && depth < DEPTH) {
    value.as.entries = take_entries(r, b, depth + 1);
  } else if (value.kind == SV_OTHER) {
    value.as.type = "boolean";
  }
  return value;
}

/* A table's: never NaN. */
static sv_value take_key(request *r, bytes *b) {
  unsigned which = choose(b, COUNT(keys) + 8);
  if (which < COUNT(keys)) {
    return sv_text(keys[which]);
  }
  if (which < COUNT(keys) + 4) {
    return sv_number(1 + choose(b, 8));
  }
  if (which == COUNT(keys) + 4) {
    return take_text(r, b);
  }
  if (which == COUNT(keys) + 5) {
    double number = take_number(b);
    return sv_number(number == number ? number : 7);
  }
  sv_value other = {SV_OTHER, {{NULL, 0}}};
  other.as.type = which == COUNT(keys) + 6 ? "boolean" : "function";
  return other;
}

static bool same_key(const sv_value *a, const sv_value *b) {
  if (a->kind == SV_TEXT && b->kind == SV_TEXT) {
    return a->as.text.length == b->as.text.length &&
           memcmp(a->as.text.at, b->as.text.at, a->as.text.length) == 0;
  }
  return a->kind == SV_NUMBER && b->kind == SV_NUMBER &&
         a->as.number == b->as.number;
}

static bool has_key(const sv_entry *entry, const sv_value *key) {
  for (; entry; entry = entry->next) {
    if (same_key(&entry->key, key)) {
      return true;
    }
  }
  return false;
}

static sv_entry *take_entries(request *r, bytes *b, int depth) {
  sv_entry *first = NULL;
  for (unsigned count = choose(b, 14); count > 0; count--) {
    sv_value key = take_key(r, b);
    if (r->entry_count == ENTRIES || has_key(first, &key)) {
      continue;
    }
    sv_entry *entry = &r->entries[r->entry_count++];
    entry->key = key;
    entry->value = take_value(r, b, depth);
    entry->next = first;
    first = entry;
  }
  return first;
}

/* The same entries the other way round, in tables within as well. */
static sv_entry *reversed(sv_entry *entry) {
  sv_entry *first = NULL;
  while (entry) {
    sv_entry *next = entry->next;
    if (entry->value.kind == SV_TABLE) {
      entry->value.as.entries = reversed(entry->value.as.entries);
    }
    entry->next = first;
    first = entry;
    entry = next;
  }
  return first;
}

static void check_text(const char *text) {
  size_t points;
  HOLDS(sv_utf8_count(text, strlen(text), &points));
  for (; *text; text++) {
    HOLDS((unsigned char)*text >= 0x20 && *text != 0x7F);
  }
}

static void check_actual(const sv_value *value) {
  HOLDS(value->kind == SV_ABSENT || value->kind == SV_TEXT ||
        (value->kind == SV_NUMBER && value->as.number - value->as.number == 0));
  if (value->kind == SV_TEXT) {
    check_text(value->as.text.at);
  }
}

static void check_report(const sv_report *report) {
  HOLDS(!report->out_of_memory);
  HOLDS(report->kept == report->violations + report->warnings);
  for (size_t i = 0; i < report->kept; i++) {
    const sv_issue *issue = &report->issues[i];
    size_t field = strlen(issue->field);
    HOLDS(strncmp(issue->message, issue->field, field) == 0 &&
          issue->message[field] == ' ');
    check_text(issue->message);
    check_actual(&issue->limit);
    check_actual(&issue->actual);
  }
}

static void check_same(const sv_report *a, const sv_report *b) {
  HOLDS(a->kept == b->kept);
  for (size_t i = 0; i < a->kept; i++) {
    HOLDS(a->issues[i].code == b->issues[i].code);
    HOLDS(strcmp(a->issues[i].message, b->issues[i].message) == 0);
  }
}

/* In one order and in another: each time the same. */
static void check(const sv_catalog *catalog, sv_params *params) {
  sv_report noted = {0}, again = {0};
  sv_validate(catalog, params, &noted);
  params->entries = reversed(params->entries);
  sv_validate(catalog, params, &again);
  check_report(&noted);
  check_same(&noted, &again);
  sv_report_close(&noted);
  sv_report_close(&again);
}

/* A row whose ratios have any number and length. */
static void add_row(sv_catalog *catalog, bytes *b) {
  char words[SV_MAX_CHOICES][SV_MAX_WORD + 1];
  sv_model row = {.name = texts[0], .endpoint = "/v1/x",
                  .takes = SV_BIT(SV_FIELD_COUNT) - 1};
  for (unsigned i = 0, count = choose(b, SV_MAX_CHOICES + 1); i < count; i++) {
    unsigned size = 1 + choose(b, SV_MAX_WORD);
    memset(words[i], 'w', size);
    words[i][size] = '\0';
    row.ratio.values[i] = words[i];
  }
  HOLDS(sv_catalog_add(catalog, &row));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  request *r = calloc(1, sizeof *r);
  sv_catalog catalog = {0};
  unsigned edition = choose(&b, SV_EDITION_COUNT + 2);
  HOLDS(r != NULL);
  HOLDS(sv_catalog_open(&catalog, edition));
  if (edition > SV_EDITION_COUNT) {
    add_row(&catalog, &b);
  }
  sv_params params = {take_entries(r, &b, 1)};
  check(&catalog, &params);
  sv_catalog_close(&catalog);
  while (r->copy_count > 0) {
    free(r->copies[--r->copy_count]);
  }
  free(r);
  return 0;
}
