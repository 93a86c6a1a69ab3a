/*
** What the rules cost by themselves: a valid request, checked again and
** again. Prints its figures in the shape of spec/bench/figure.lua; the exit
** code is 0 where the goal is met.
*/
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "rules/model.h"
#include "rules/validate.h"
#include "rules/value.h"

enum { ROUNDS = 15, COUNT = 200000, CHARACTERS = 200, FIELDS = 4 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b) {
  double left = *(const double *)a, right = *(const double *)b;
  return (left > right) - (left < right);
}

/* As many characters as the goal speaks of, of one sort. */
static void write_prompt(char *out, const char *character) {
  int i;
  *out = '\0';
  for (i = 0; i < CHARACTERS; i++) out = strcpy(out, character) + strlen(out);
}

/* The fields of a request for which no fault may be found. */
static void fill(sv_entry entries[FIELDS], const char *prompt) {
  const sv_entry fields[FIELDS] = {
    { &entries[1], sv_text("model"), sv_text("videos") },
    { &entries[2], sv_text("prompt"), sv_text(prompt) },
    { &entries[3], sv_text("duration"), sv_number(5) },
    { NULL, sv_text("ratio"), sv_text("16:9") },
  };
  memcpy(entries, fields, sizeof fields);
}

/* The median of the rounds, in microseconds a request. */
static double measure(const sv_catalog *catalog, sv_entry *entries) {
  double rounds[ROUNDS];
  int round, i;
  for (round = 0; round < ROUNDS; round++) {
    sv_report report = { 0 };
    double start = now();
    for (i = 0; i < COUNT; i++) {
      sv_params params = { entries };
      sv_validate(catalog, &params, &report);
    }
    rounds[round] = (now() - start) / COUNT * 1e6;
    if (report.violations + report.warnings > 0) abort();
    sv_report_close(&report);
  }
  qsort(rounds, ROUNDS, sizeof *rounds, by_size);
  return rounds[ROUNDS / 2];
}

static double cost(const sv_catalog *catalog, const char *character) {
  char prompt[CHARACTERS * 4 + 1];
  sv_entry entries[FIELDS];
  write_prompt(prompt, character);
  fill(entries, prompt);
  return measure(catalog, entries);
}

int main(void) {
  sv_catalog catalog = { 0 };
  double plain, wide;
  if (!sv_catalog_open(&catalog, SV_EDITION_COUNT)) return 2;
  plain = cost(&catalog, "k");
  wide = cost(&catalog, "\xe7\x8c\xab");
  sv_catalog_close(&catalog);
  printf("{\"name\":\"validate_c\",\"value\":%.4g,\"unit\":\"us\","
         "\"goal\":\"< 1\",\"ok\":%s}\n",
         plain, plain < 1 ? "true" : "false");
  printf("{\"name\":\"validate_c_multibyte\",\"value\":%.4g,\"unit\":\"us\","
         "\"goal\":null,\"ok\":true}\n",
         wide);
  return plain < 1 ? 0 : 1;
}
