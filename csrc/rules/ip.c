#include "rules/ip.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "rules/visibility.h"

typedef struct sv_ip_net {
  unsigned char ip[SV_IP_ROOM];
  int bits;
  int holds; /* where an IPv6 address holds one of IPv4; 0: it does not */
} sv_ip_net;

static const sv_ip_net nets4[] = {
    {{0}, 8, 0},           /* this network; Linux connects to this machine */
    {{10}, 8, 0},          /* private */
    {{100, 64}, 10, 0},    /* shared by customers of a carrier */
    {{127}, 8, 0},         /* loopback */
    {{169, 254}, 16, 0},   /* link-local; the metadata of clouds */
    {{172, 16}, 12, 0},    /* private */
    {{192, 0, 0}, 24, 0},  /* of protocols; the metadata of a cloud */
    {{192, 168}, 16, 0},   /* private */
    {{224}, 3, 0},         /* multicast, reserved, broadcast */
};

static const sv_ip_net nets6[] = {
    {{0}, 96, 12}, /* compatible; `::` and `::1` hold 0.0.0.0 and 0.0.0.1 */
    {{[10] = 0xFF, [11] = 0xFF}, 96, 12},                  /* mapped */
    {{[8] = 0xFF, [9] = 0xFF}, 96, 12},                    /* translated */
    {{0, 0x64, 0xFF, 0x9B}, 96, 12},                       /* NAT64 */
    {{0, 0x64, 0xFF, 0x9B, 0, 1}, 48, 0},                  /* NAT64, local */
    {{0x20, 0x02}, 16, 2},                                 /* 6to4 */
    {{0x20, 0x01, 0, 0}, 32, 0},                           /* Teredo */
    {{1}, 64, 0},                                          /* discarded */
    {{0xFC}, 7, 0},                                        /* unique local */
    {{0xFE, 0x80}, 9, 0},                                  /* link-, site-local */
    {{0xFF}, 8, 0},                                        /* multicast */
};

static bool is_in(const sv_ip_net *net, const unsigned char *ip) {
  int whole = net->bits / 8, rest = net->bits % 8;
  return memcmp(net->ip, ip, (size_t)whole) == 0 &&
         (rest == 0 || (net->ip[whole] ^ ip[whole]) >> (8 - rest) == 0);
}

static const sv_ip_net *net_of(const sv_ip_net *nets, size_t count,
                               const unsigned char *ip) {
  for (size_t i = 0; i < count; i++) {
    if (is_in(&nets[i], ip)) {
      return &nets[i];
    }
  }
  return NULL;
}

bool sv_ip_is_private(const unsigned char *ip, size_t size) {
  const sv_ip_net *net =
      size == 4 ? net_of(nets4, sizeof nets4 / sizeof *nets4, ip)
                : net_of(nets6, sizeof nets6 / sizeof *nets6, ip);
  return net && (!net->holds || sv_ip_is_private(ip + net->holds, 4));
}

/* --- texts ---------------------------------------------------------------- */

/* Four numbers and nothing else. */
static bool read_ip4(const char *text, unsigned char ip[4]) {
  for (int i = 0; i < 4; i++) {
    char *end;
    long number = strtol(text, &end, 10);
    if (!isdigit((unsigned char)*text) || number > 255 ||
        *end != (i < 3 ? '.' : '\0')) {
      return false;
    }
    ip[i] = (unsigned char)number;
    text = end + 1;
  }
  return true;
}

/* Groups of up to four hex digits, of which "::" stands for the missing ones,
** and perhaps an IPv4 address at the end. */
static bool read_ip6(const char *text, unsigned char ip[SV_IP_ROOM]) {
  int at = 0, gap = -1;
  unsigned char read[SV_IP_ROOM] = {0};
  while (*text) {
    size_t digits = strspn(text, "0123456789abcdefABCDEF");
    if (text[0] == ':' && text[1] == ':' && gap < 0) {
      gap = at;
      text += 2;
    } else if (text[digits] == '.' && at <= 12) {
      if (!read_ip4(text, read + at)) {
        return false;
      }
      at += 4;
      break;
    } else if (digits < 1 || digits > 4 || at > 14) {
      return false;
    } else {
      long group = strtol(text, NULL, 16);
      read[at++] = (unsigned char)(group >> 8);
      read[at++] = (unsigned char)(group & 0xFF);
      text += digits;
      if (text[0] == ':' && text[1] != ':' && !*++text) {
        return false;
      }
    }
  }
  int before = gap < 0 ? at : gap;
  memset(ip, 0, SV_IP_ROOM);
  memcpy(ip, read, (size_t)before);
  memcpy(ip + SV_IP_ROOM - (at - before), read + before,
         (size_t)(at - before));
  return gap < 0 ? at == SV_IP_ROOM : at < SV_IP_ROOM;
}

size_t sv_ip_read(const char *text, unsigned char ip[SV_IP_ROOM]) {
  return read_ip4(text, ip) ? 4 : read_ip6(text, ip) ? SV_IP_ROOM : 0;
}

static bool is_localhost(const char *host, size_t size) {
  static const char name[] = "localhost";
  const size_t length = sizeof name - 1;
  size -= size > 0 && host[size - 1] == '.' ? 1 : 0;
  if (size < length || (size > length && host[size - length - 1] != '.')) {
    return false;
  }
  for (size_t i = 0; i < length; i++) {
    if ((host[size - length + i] | 0x20) != name[i]) {
      return false;
    }
  }
  return true;
}

bool sv_host_is_private(const char *host) {
  char text[64];
  unsigned char ip[SV_IP_ROOM];
  host += *host == '[' ? 1 : 0;
  size_t size = strcspn(host, "]%"); /* its zone is the caller's own */
  if (is_localhost(host, size)) {
    return true;
  }
  if (size >= sizeof text) {
    return false;
  }
  memcpy(text, host, size);
  text[size] = '\0';
  size = sv_ip_read(text, ip);
  return size && sv_ip_is_private(ip, size);
}
