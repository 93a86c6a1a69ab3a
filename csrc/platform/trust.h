/*
** Which certificates the system trusts. May be called on any thread.
*/
#ifndef SV_PLATFORM_TRUST_H
#define SV_PLATFORM_TRUST_H

/* The file they are in; NULL where there is none, or where whoever speaks TLS
** asks the system itself. */
const char *sv_trust_file(void);

#endif
