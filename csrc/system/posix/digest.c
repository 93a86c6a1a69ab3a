#include "system/digest.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "system/file.h"
#include "system/fork.h"

#include "rules/visibility.h"

enum { BLOCK = 1024 * 1024 };

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

static bool must_stop(const _Atomic int *stop) {
  return stop && *stop;
}

static int add_blocks(sv_digest *digest, int file, long long at, long long to,
                      char *block, const _Atomic int *stop) {
  size_t count = 1;
  int problem = 0;
  while (!problem && count > 0 && (to < 0 || at < to)) {
    size_t room = to >= 0 && to - at < BLOCK ? (size_t)(to - at) : BLOCK;
    problem = sv_file_read_at(file, at, block, room, &count);
    at += (long long)count;
    problem = problem           ? problem
              : must_stop(stop) ? ECANCELED
                                : sv_digest_add(digest, block, count);
  }
  return problem ? problem : at < to ? SV_FILE_CHANGED : 0;
}

/* Only here does libcrypto lock anything. */
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

bool sv_digest_same(const void *one, const void *other, size_t size) {
  return CRYPTO_memcmp(one, other, size) == 0;
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
