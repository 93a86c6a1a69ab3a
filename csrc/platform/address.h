/*
** Addresses of hosts. May be called on any thread.
*/
#ifndef SV_PLATFORM_ADDRESS_H
#define SV_PLATFORM_ADDRESS_H

#include <stdbool.h>

/* Whether the host of a URL is this machine: `localhost`, or a loopback
** address as URLs write it. Looks no name up. */
bool sv_address_is_loopback(const char *host);

#endif
