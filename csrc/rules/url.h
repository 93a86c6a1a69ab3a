/*
** What may stand where the API wants the URL of a picture, a clip or a sound.
*/
#ifndef SV_RULES_URL_H
#define SV_RULES_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "rules/text.h"

/* Whether text is an http or https URL with a host, valid UTF-8, without
** blanks and control characters. */
bool sv_is_url(const char *text, size_t length);

/* Writes what a message may say of a URL. Media links are often signed: the
** query, the fragment and any user:password stay out. Returns out. */
const char *sv_show_url(char out[SV_SHOWN], const char *text, size_t length);

#endif
