/*
** Which addresses are not the Internet's: those of this machine, of private
** networks, and of groups. From IANA's registries of special-purpose addresses,
** but for 198.18.0.0/15, which local proxies answer with for any name.
*/
#ifndef SV_RULES_IP_H
#define SV_RULES_IP_H

#include <stdbool.h>
#include <stddef.h>

enum { SV_IP_ROOM = 16 };

/* Whether an address of 4 or 16 bytes is private. One of IPv6 that holds one of
** IPv4 (mapped, NAT64, 6to4) is what that one is. */
bool sv_ip_is_private(const unsigned char *ip, size_t size);

/* The same of the host of a URL, as libcurl writes it, with or without
** brackets: an address, or `localhost` and names below it. Of any other name:
** false. */
bool sv_host_is_private(const char *host);

/* Read an address as people write it, without brackets or zone: 4 or 16 bytes.
** Returns how many; 0 where the text is no address. Leading zeros of a decimal
** count as nothing, as they do to nginx. */
size_t sv_ip_read(const char *text, unsigned char ip[SV_IP_ROOM]);

#endif
