/*
** Which certificates the system trusts. May be called on any thread.
*/
#ifndef SV_SYSTEM_CA_BUNDLE_H
#define SV_SYSTEM_CA_BUNDLE_H

/* The file they are in; NULL where there is none, or where whoever speaks TLS
** asks the system itself. */
const char *sv_ca_bundle_file(void);

#endif
