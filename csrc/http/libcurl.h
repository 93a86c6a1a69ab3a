/*
** What all engines of a process share: libcurl itself, and the certificates
** that it trusts.
*/
#ifndef SV_HTTP_LIBCURL_H
#define SV_HTTP_LIBCURL_H

#include <curl/curl.h>
#include <stdbool.h>

/* What was sent is known from CURLOPT_PREREQFUNCTION, which 7.80 has first;
** nobody has tried that one. Also in sv_libcurl_is_old. */
#if LIBCURL_VERSION_NUM < 0x075100
#error "starvideos needs libcurl 7.81 or newer: install newer headers of libcurl"
#endif

/* Options by their numbers, which stay: the headers need not have what the
** loaded libcurl knows, and those of 8 warn of the older two. A libcurl
** answers CURLE_UNKNOWN_OPTION to what it does not know. */
#define SV_OPTION(type, number) ((CURLoption)(CURLOPTTYPE_##type + (number)))
#define SV_OPT_PROTOCOLS SV_OPTION(LONG, 181)
#define SV_OPT_REDIR_PROTOCOLS SV_OPTION(LONG, 182)
#define SV_OPT_PROTOCOLS_STR SV_OPTION(STRINGPOINT, 318)       /* 7.85 */
#define SV_OPT_REDIR_PROTOCOLS_STR SV_OPTION(STRINGPOINT, 319) /* 7.85 */
#define SV_OPT_QUICK_EXIT SV_OPTION(LONG, 322)                 /* 7.87 */

enum { SV_LIBCURL_TEXT = 240 };

/* Whether the libcurl that was loaded is too old, which the text then says to
** people. */
bool sv_libcurl_is_old(char text[SV_LIBCURL_TEXT]);

/* Starts libcurl, once in a process. May be called on any thread. */
void sv_libcurl_need(void);

/* Whether it raises no SIGPIPE: from 7.87 what OpenSSL writes goes out as all
** else does, without that signal. Known once libcurl has started. */
bool sv_libcurl_is_silent(void);

/* The versions of libcurl and of what it uses, for people to read. */
const char *sv_libcurl_version(void);

/* Leaves something of libcurl's alone for ever: to free it would write to
** sockets that are not ours any more, or close them. Any thread. */
void sv_libcurl_abandon(void *memory);

/* The file of certificates to trust where none is named: SSL_CERT_FILE, else
** the system's; NULL where there is neither. */
const char *sv_libcurl_bundle(void);

#endif
