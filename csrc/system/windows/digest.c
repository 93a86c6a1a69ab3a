#include "system/digest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "system/thread.h"
#include "system/windows/win32.h"

#include <bcrypt.h>

#include "rules/visibility.h"

enum { BLOCK = 1024 * 1024, SHA256_BYTES = (SV_SHA256_HEX - 1) / 2 };

struct sv_digest {
  BCRYPT_HASH_HANDLE hash; /* NULL: not begun */
};

/* Opened once, and open until the process ends: that takes far longer than a
** short digest. NULL where the system has none. */
static BCRYPT_ALG_HANDLE plain, keyed;
static _Atomic bool is_open;

static void open_algorithms(void) {
  BCryptOpenAlgorithmProvider(&plain, BCRYPT_SHA256_ALGORITHM, NULL, 0);
  BCryptOpenAlgorithmProvider(&keyed, BCRYPT_SHA256_ALGORITHM, NULL,
                              BCRYPT_ALG_HANDLE_HMAC_FLAG);
}

/* It fails where memory is short, and nowhere else. */
static int problem_of(NTSTATUS status) {
  return BCRYPT_SUCCESS(status) ? 0 : ENOMEM;
}

sv_digest *sv_digest_new(void) {
  sv_thread_once(&is_open, open_algorithms);
  return calloc(1, sizeof(sv_digest));
}

static void forget(sv_digest *digest) {
  if (digest->hash) {
    BCryptDestroyHash(digest->hash);
    digest->hash = NULL;
  }
}

void sv_digest_free(sv_digest *digest) {
  if (digest) {
    forget(digest);
    free(digest);
  }
}

static int begin(sv_digest *digest, BCRYPT_ALG_HANDLE algorithm,
                 const void *key, size_t key_size) {
  forget(digest);
  return problem_of(BCryptCreateHash(algorithm, &digest->hash, NULL, 0,
                                     (PUCHAR)key, (ULONG)key_size, 0));
}

int sv_digest_begin(sv_digest *digest) {
  return begin(digest, plain, NULL, 0);
}

int sv_digest_add(sv_digest *digest, const void *bytes, size_t size) {
  const unsigned char *at = bytes;
  int problem = 0;
  while (!problem && size > 0) {
    ULONG part = size < BLOCK ? (ULONG)size : BLOCK;
    problem = problem_of(BCryptHashData(digest->hash, (PUCHAR)at, part, 0));
    at += part;
    size -= part;
  }
  return problem;
}

int sv_digest_end(sv_digest *digest, char hex[SV_SHA256_HEX]) {
  unsigned char bytes[SHA256_BYTES];
  int problem = problem_of(
      BCryptFinishHash(digest->hash, bytes, sizeof bytes, 0));
  forget(digest);
  for (size_t i = 0; i < sizeof bytes && !problem; i++) {
    snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
  }
  return problem;
}

int sv_digest_so_far(const sv_digest *digest, char hex[SV_SHA256_HEX]) {
  sv_digest *copy = sv_digest_new();
  int problem = copy ? problem_of(BCryptDuplicateHash(digest->hash, &copy->hash,
                                                      NULL, 0, 0))
                     : ENOMEM;
  problem = problem ? problem : sv_digest_end(copy, hex);
  sv_digest_free(copy);
  return problem;
}

int sv_digest_signed(const void *key, size_t key_size, const void *bytes,
                     size_t size, char hex[SV_SHA256_HEX]) {
  if (key_size > INT_MAX) {
    return EINVAL;
  }
  sv_digest *digest = sv_digest_new();
  int problem = digest ? begin(digest, keyed, key, key_size) : ENOMEM;
  problem = problem ? problem : sv_digest_add(digest, bytes, size);
  problem = problem ? problem : sv_digest_end(digest, hex);
  sv_digest_free(digest);
  return problem;
}
