#include "system/digest.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "system/fork.h"

#include "rules/visibility.h"

/* libcrypto fails here only where memory is short. */
static int problem_of(int returned) {
  return returned == 1 ? 0 : ENOMEM;
}

/* A digest is libcrypto's context, under a name of its own. */
static EVP_MD_CTX *context_of(sv_digest *digest) {
  return (EVP_MD_CTX *)digest;
}

sv_digest *sv_digest_new(void) {
  return (sv_digest *)EVP_MD_CTX_new();
}

void sv_digest_free(sv_digest *digest) {
  EVP_MD_CTX_free(context_of(digest));
}

int sv_digest_begin(sv_digest *digest) {
  return problem_of(EVP_DigestInit_ex(context_of(digest), EVP_sha256(), NULL));
}

int sv_digest_add(sv_digest *digest, const void *bytes, size_t size) {
  return problem_of(EVP_DigestUpdate(context_of(digest), bytes, size));
}

static void write_hex(const unsigned char *bytes, unsigned int size,
                      char hex[SV_SHA256_HEX]) {
  for (unsigned int i = 0; i < size && 2 * i + 2 < SV_SHA256_HEX; i++) {
    snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
  }
}

int sv_digest_end(sv_digest *digest, char hex[SV_SHA256_HEX]) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size;
  if (EVP_DigestFinal_ex(context_of(digest), bytes, &size) != 1) {
    return ENOMEM;
  }
  write_hex(bytes, size, hex);
  return 0;
}

int sv_digest_so_far(const sv_digest *digest, char hex[SV_SHA256_HEX]) {
  sv_digest *copy = sv_digest_new();
  int problem = copy ? problem_of(EVP_MD_CTX_copy_ex(
                           context_of(copy), (const EVP_MD_CTX *)digest))
                     : ENOMEM;
  problem = problem ? problem : sv_digest_end(copy, hex);
  sv_digest_free(copy);
  return problem;
}

int sv_digest_signed(const void *key, size_t key_size, const void *bytes,
                     size_t size, char hex[SV_SHA256_HEX]) {
  unsigned char signature[EVP_MAX_MD_SIZE];
  unsigned int length;
  if (key_size > INT_MAX) {
    return EINVAL;
  }
  sv_fork_hold();
  bool ok = HMAC(EVP_sha256(), key, (int)key_size, bytes, size, signature,
                 &length) != NULL;
  sv_fork_release();
  if (ok) {
    write_hex(signature, length, hex);
  }
  return ok ? 0 : ENOMEM;
}
