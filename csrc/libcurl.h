/*
** What all engines of a process share: libcurl itself, and whom it trusts.
*/
#ifndef SV_LIBCURL_H
#define SV_LIBCURL_H

/* Starts libcurl, once in a process. May be called on any thread. */
void sv_libcurl_need(void);

/* The file of certificates to trust where none is named: SSL_CERT_FILE, else
** the system's; NULL where there is neither. */
const char *sv_libcurl_bundle(void);

#endif
