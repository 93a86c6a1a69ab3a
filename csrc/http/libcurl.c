#include "http/libcurl.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "system/fork.h"
#include "system/process.h"
#include "system/thread.h"
#include "system/network.h"

#include "rules/visibility.h"

static _Atomic bool is_started;
static bool is_silent; /* known once it is */

bool sv_libcurl_is_old(char text[SV_LIBCURL_TEXT]) {
  const curl_version_info_data *loaded = curl_version_info(CURLVERSION_NOW);
  snprintf(text, SV_LIBCURL_TEXT,
           "the libcurl that was loaded is %.40s, and starvideos needs 7.81 or"
           " newer (it was built for " LIBCURL_VERSION "); nothing was sent."
           " Install a newer libcurl, or let the loader find it",
           loaded->version);
  return loaded->version_num < 0x075100;
}

/* Other libraries for TLS are taken for loud: to hold a signal back is safe. */
static bool look(const curl_version_info_data *loaded) {
  return loaded->version_num >= 0x075700 && loaded->ssl_version &&
         strncmp(loaded->ssl_version, "OpenSSL/", 8) == 0;
}

/* Never undone: the process may have other users of libcurl. The module stays
** loaded too, for a thread of libcurl's may still look up a name when the Lua
** state closes. */
static void start_libcurl(void) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  is_silent = look(curl_version_info(CURLVERSION_NOW));
  sv_fork_guard_exit();
  sv_module_keep(&is_started);
}

void sv_libcurl_need(void) {
  sv_thread_once(&is_started, start_libcurl);
}

bool sv_libcurl_is_silent(void) {
  return is_silent;
}

const char *sv_libcurl_version(void) {
  return curl_version();
}

/* Reachable, for a checker of memory, and by nobody. */
typedef struct lost {
  struct lost *next;
  void *memory;
} lost;

static lost *_Atomic all_lost;

void sv_libcurl_abandon(void *memory) {
  lost *one = malloc(sizeof *one);
  if (one) {
    *one = (lost){all_lost, memory};
    while (!atomic_compare_exchange_weak(&all_lost, &one->next, one)) {
    }
  }
}

const char *sv_libcurl_bundle(void) {
  const char *named = getenv("SSL_CERT_FILE");
  return named && *named ? named : sv_ca_bundle_file();
}
