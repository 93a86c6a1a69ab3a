/*
** What all engines of a process share: libcurl itself, and the certificates
** that it trusts.
*/
#ifndef SV_CURL_LIBCURL_H
#define SV_CURL_LIBCURL_H

#include <curl/curl.h>

/* Starts libcurl, once in a process. May be called on any thread. */
void sv_libcurl_need(void);

/* The versions of libcurl and of what it uses, for people to read. */
const char *sv_libcurl_version(void);

/* A multi handle that can be woken. NULL where memory is short, or where no
** descriptor is left for the waking, which libcurl itself would do without. */
CURLM *sv_libcurl_multi(void);

/* The file of certificates to trust where none is named: SSL_CERT_FILE, else
** the system's; NULL where there is neither. */
const char *sv_libcurl_bundle(void);

#endif
