/*
** Text as people count it, read it and mistype it.
*/
#ifndef SV_RULES_TEXT_H
#define SV_RULES_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/value.h"

/* Enough for anything that sv_show, sv_show_key or sv_show_number writes. */
#define SV_SHOWN 72

/* Decodes one code point of strict UTF-8: no overlong form, no surrogate,
** nothing past U+10FFFF. Returns its length in bytes, 0 when malformed. */
size_t sv_utf8_next(const char *at, size_t left, uint32_t *point);

/* Counts the code points. False for malformed text; then *count is the offset
** in bytes of the first fault. */
bool sv_utf8_count(const char *text, size_t length, size_t *count);

/* Whether well-formed text shows nothing at all; true for "". */
bool sv_is_blank(const char *text, size_t length);

/* Writes text so that it may stand in a message: at most 60 bytes, bytes that
** a terminal would obey or that are not UTF-8 as \xNN. Returns out. */
const char *sv_show(char out[SV_SHOWN], const char *text, size_t length);

/* The same for a table's key: foo, [3], [boolean]. */
const char *sv_show_key(char out[SV_SHOWN], const sv_value *key);

/* The same for a number, in as few digits as tell it apart: 8, 8.5, NaN. */
const char *sv_show_number(char out[SV_SHOWN], double number);

/* The same in six digits, for a sum. */
const char *sv_show_rounded(char out[SV_SHOWN], double number);

/* Whether text begins with a word of ASCII, in capitals or small letters. */
bool sv_starts_with(const char *text, size_t length, const char *word);

/* Looks for what a word was meant to be: best is the nearest of the candidates
** offered that could be a slip of the pen, or NULL. They must outlive the guess,
** as must the word. */
typedef struct sv_guess {
  const char *word;
  size_t length;
  const char *best;
  size_t distance;
} sv_guess;

/* Of what is no text nothing is guessed. */
sv_guess sv_guess_of(const sv_value *word);
void sv_guess_offer(sv_guess *guess, const char *candidate);

/* --- URLs ---------------------------------------------------------------- */

/* Whether text is an http or https URL with a host, valid UTF-8, without
** blanks and control characters. */
bool sv_is_url(const char *text, size_t length);

/* Writes what a message may say of a URL. Media links are often signed: the
** query, the fragment and any user:password stay out. Returns out. */
const char *sv_show_url(char out[SV_SHOWN], const char *text, size_t length);

/* Which part of a file an answer holds, as its header Content-Range says it
** (RFC 9110, 14.4), "bytes first-last/total": positions of bytes, and the size
** of the whole file; -1 for what it does not say, or says malformed. */
typedef struct sv_content_range {
  long long first, last, total;
} sv_content_range;

sv_content_range sv_content_range_read(const char *text, size_t size);

#endif
