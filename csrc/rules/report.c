#include "rules/report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules/text.h"

#include "rules/visibility.h"

/* The longest message names sixteen ratios or some twenty models. */
#define MESSAGE_SIZE 1024

const sv_value sv_none = {SV_ABSENT, {{NULL, 0}}};

const char *sv_code_name(sv_code code) {
  static const char *const names[] = {
#define SV_NAME(id, name) name,
      SV_VIOLATIONS(SV_NAME)
      SV_WARNINGS(SV_NAME)
#undef SV_NAME
  };
  return names[code];
}

static bool grow(sv_report *report) {
  size_t capacity = report->capacity > 0 ? report->capacity * 2 : 8;
  sv_issue *issues;
  if (report->kept < report->capacity) {
    return true;
  }
  issues = realloc(report->issues, capacity * sizeof *issues);
  if (!issues) {
    return false;
  }
  report->issues = issues;
  report->capacity = capacity;
  return true;
}

static size_t text_size(const sv_value *value) {
  return value->kind == SV_TEXT ? value->as.text.length + 1 : 0;
}

static const char *copy(char **end, const char *text, size_t length) {
  char *start = *end;
  memcpy(start, text, length);
  start[length] = '\0';
  *end = start + length + 1;
  return start;
}

static void copy_text(char **end, sv_value *value) {
  if (value->kind == SV_TEXT) {
    value->as.text.at = copy(end, value->as.text.at, value->as.text.length);
  }
}

/* All texts of an issue stand in one block, which begins with the field. */
static bool keep(sv_report *report, sv_issue issue) {
  size_t field = strlen(issue.field), message = strlen(issue.message);
  char *end;
  if (!grow(report)) {
    return false;
  }
  end = malloc(field + message + 2 + text_size(&issue.limit) +
               text_size(&issue.actual));
  if (!end) {
    return false;
  }
  issue.field = copy(&end, issue.field, field);
  issue.message = copy(&end, issue.message, message);
  copy_text(&end, &issue.limit);
  copy_text(&end, &issue.actual);
  report->issues[report->kept++] = issue;
  return true;
}

/* A JSON encoder may refuse NaN and infinity, so they are given as words. */
static sv_value readable(sv_value value, char shown[SV_SHOWN]) {
  if (value.kind == SV_NUMBER && !isfinite(value.as.number)) {
    return sv_text(sv_show_number(shown, value.as.number));
  }
  return value;
}

void sv_report_add(sv_report *report, sv_code code, const char *field,
                   sv_value limit, sv_value actual, const char *message, ...) {
  char text[MESSAGE_SIZE], shown[SV_SHOWN];
  sv_issue issue;
  va_list arguments;
  int start;
  if (code < SV_FIRST_WARNING) {
    report->violations++;
  } else {
    report->warnings++;
  }
  if (report->out_of_memory) {
    return;
  }
  start = snprintf(text, sizeof text / 2, "%s ", field);
  va_start(arguments, message);
  vsnprintf(text + start, sizeof text - (size_t)start, message, arguments);
  va_end(arguments);
  issue.code = code;
  issue.field = field;
  issue.message = text;
  issue.limit = limit;
  issue.actual = readable(actual, shown);
  report->out_of_memory = !keep(report, issue);
}

void sv_report_type(sv_report *report, const char *field, const char *wanted,
                    const sv_value *value) {
  const char *type = sv_type(value);
  const char *got =
      value->kind == SV_NULL ? "null: leave it out instead" : type;
  sv_report_add(report, SV_TYPE, field, sv_none, sv_text(type),
                "must be %s; got %s%s", wanted,
                value->kind == SV_NULL || value->kind == SV_ABSENT ? "" : "a ",
                got);
}

void sv_report_close(sv_report *report) {
  static const sv_report closed;
  for (size_t i = 0; i < report->kept; i++) {
    free((char *)report->issues[i].field);
  }
  free(report->issues);
  *report = closed;
}
