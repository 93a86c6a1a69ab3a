/*
** What libcurl tells of a transfer that has ended: how far it came, and why
** it came no further.
*/
#ifndef SV_CURL_EVIDENCE_H
#define SV_CURL_EVIDENCE_H

#include "curl/transfer.h"

/* Fills in the outcome from the handle; the reason stays as it is. */
void sv_evidence_read(sv_transfer *transfer);

/* Puts the reason and its sentence for an error of libcurl's. */
void sv_evidence_explain(sv_transfer *transfer, CURLcode code,
                         const char *ca_file);

/* Puts a reason and its sentence. */
void sv_outcome_say(sv_outcome *outcome, sv_reason reason, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

#endif
