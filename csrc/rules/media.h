/*
** The media of a request: frames, and arrays of references. A medium is a URL,
** or a table of a URL and what is known about what lies there: bytes,
** duration (s), width, height (pixels). Limits are checked against what is
** known; what is not known is no fault.
*/
#ifndef SV_RULES_MEDIA_H
#define SV_RULES_MEDIA_H

#include <stdbool.h>

#include "rules/model.h"
#include "rules/report.h"
#include "rules/value.h"

/* Checks an array of references that is present; puts its entries in order.
** with_video: there is a reference video in the same request. */
void sv_media_check(sv_value *list, const char *field,
                    const sv_media_limits *limits, bool with_video,
                    sv_report *report);

/* Checks one medium that is present; puts its entries in order. */
void sv_medium_check(sv_value *medium, const char *field,
                     const sv_media_limits *limits, sv_report *report);

/* The URL of a medium as it was given, or NULL where there is no text. */
const sv_value *sv_medium_url(const sv_value *medium);

#endif
