/*
** What libcurl reports of a transfer that has ended: how far it came, and why
** it failed. Called on the engine's thread, while the transfer still has its
** handle.
*/
#ifndef SV_HTTP_SENT_CHECK_H
#define SV_HTTP_SENT_CHECK_H

#include "http/transfer.h"

/* Fills in the outcome; where libcurl ended with an error and no reason stands
** there yet, that too, with its sentence. `ca_file`: for that sentence, the
** certificates that were trusted, or NULL. */
void sv_sent_check_read(sv_transfer *transfer, CURLcode code,
                      const char *ca_file);

#endif
