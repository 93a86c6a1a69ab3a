#include "system/ca_bundle.h"

#include <stddef.h>

#include "system/file.h"

#include "rules/visibility.h"

/* Debian and Ubuntu; Fedora; openSUSE; Alpine, FreeBSD, macOS. */
static const char *const files[] = {
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
};

const char *sv_ca_bundle_file(void) {
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    if (sv_file_is_readable(files[i])) {
      return files[i];
    }
  }
  return NULL;
}
