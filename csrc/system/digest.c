#include "system/digest.h"

#include <errno.h>
#include <stdlib.h>

#include "system/file.h"
#include "system/fork.h"

#include "rules/visibility.h"

enum { BLOCK = 1024 * 1024 };

/* Only here does a library of the system's lock anything. */
static sv_digest *begun_digest(void) {
  sv_fork_hold();
  sv_digest *digest = sv_digest_new();
  if (digest && sv_digest_begin(digest) != 0) {
    sv_digest_free(digest);
    digest = NULL;
  }
  sv_fork_release();
  return digest;
}

int sv_digest_bytes(const void *bytes, size_t size, char hex[SV_SHA256_HEX]) {
  sv_digest *digest = begun_digest();
  int problem = digest ? sv_digest_add(digest, bytes, size) : ENOMEM;
  problem = problem ? problem : sv_digest_end(digest, hex);
  sv_digest_free(digest);
  return problem;
}

bool sv_digest_same(const void *one, const void *other, size_t size) {
  const volatile unsigned char *a = one, *b = other;
  unsigned char different = 0;
  for (size_t i = 0; i < size; i++) {
    different |= (unsigned char)(a[i] ^ b[i]);
  }
  return different == 0;
}

static int add_blocks(sv_digest *digest, int file, long long at, long long to,
                      char *block, const _Atomic int *stop) {
  size_t count = 1;
  int problem = 0;
  while (!problem && count > 0 && (to < 0 || at < to)) {
    size_t room = to >= 0 && to - at < BLOCK ? (size_t)(to - at) : BLOCK;
    problem = sv_file_read_at(file, at, block, room, &count);
    at += (long long)count;
    problem = problem         ? problem
              : stop && *stop ? ECANCELED
                              : sv_digest_add(digest, block, count);
  }
  return problem ? problem : at < to ? SV_FILE_CHANGED : 0;
}

int sv_digest_file(int file, long long from, long long to,
                   char hex[SV_SHA256_HEX], const _Atomic int *stop) {
  char *block = malloc(BLOCK);
  sv_digest *digest = block ? begun_digest() : NULL;
  int problem = digest ? add_blocks(digest, file, from, to, block, stop)
                       : ENOMEM;
  problem = problem ? problem : sv_digest_end(digest, hex);
  sv_digest_free(digest);
  free(block);
  return problem;
}
