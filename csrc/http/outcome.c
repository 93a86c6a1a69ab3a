#include "http/outcome.h"

#include <stdarg.h>
#include <stdio.h>

#include "rules/visibility.h"

const char *sv_reason_name(sv_reason reason) {
  static const char *const names[] = {
#define X(name, text) text,
      SV_REASONS(X)
#undef X
  };
  return names[reason];
}

const char *sv_phase_name(sv_phase phase) {
  static const char *const names[] = {
#define X(name, text) text,
      SV_PHASES(X)
#undef X
  };
  return names[phase];
}

static void blank_controls(char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7F) {
      *text = '?';
    }
  }
}

void sv_outcome_say(sv_outcome *outcome, sv_reason reason, const char *format,
                    ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(outcome->message, sizeof outcome->message, format, arguments);
  va_end(arguments);
  blank_controls(outcome->message);
  outcome->reason = reason;
}
