#include "digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "forks.h"

enum { BLOCK = 1024 * 1024 };

/* libcrypto fails here only for want of memory. */
static int problem_of(int returned) {
  return returned == 1 ? 0 : ENOMEM;
}

sv_digest *sv_digest_new(void) {
  return EVP_MD_CTX_new();
}

void sv_digest_free(sv_digest *digest) {
  EVP_MD_CTX_free(digest);
}

int sv_digest_begin(sv_digest *digest) {
  return problem_of(EVP_DigestInit_ex(digest, EVP_sha256(), NULL));
}

int sv_digest_add(sv_digest *digest, const void *bytes, size_t size) {
  return problem_of(EVP_DigestUpdate(digest, bytes, size));
}

int sv_digest_end(sv_digest *digest, char hex[SV_SHA256_HEX]) {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size;
  if (EVP_DigestFinal_ex(digest, bytes, &size) != 1) {
    return ENOMEM;
  }
  for (unsigned int i = 0; i < size && 2 * i + 2 < SV_SHA256_HEX; i++) {
    snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
  }
  return 0;
}

static int add_blocks(sv_digest *digest, int file, long long size,
                      char *block) {
  long long at = 0;
  while (at < size) {
    size_t wanted = size - at < BLOCK ? (size_t)(size - at) : BLOCK;
    ssize_t count = pread(file, block, wanted, (off_t)at);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return count < 0 ? errno : EIO;
    }
    int problem = sv_digest_add(digest, block, (size_t)count);
    if (problem) {
      return problem;
    }
    at += count;
  }
  return 0;
}

int sv_digest_add_file(sv_digest *digest, int file, long long size) {
  if (size == 0) {
    return 0;
  }
  char *block = malloc(BLOCK);
  int problem = block ? add_blocks(digest, file, size, block) : ENOMEM;
  free(block);
  return problem;
}

static int digest_open_file(sv_digest *digest, int file,
                            char hex[SV_SHA256_HEX]) {
  struct stat now;
  int problem = fstat(file, &now) == 0 ? 0 : errno;
  if (!problem) {
    problem = sv_digest_add_file(digest, file, (long long)now.st_size);
  }
  return problem ? problem : sv_digest_end(digest, hex);
}

/* Only here does libcrypto lock anything. */
static sv_digest *begun_digest(void) {
  sv_forks_hold();
  sv_digest *digest = sv_digest_new();
  if (digest && sv_digest_begin(digest) != 0) {
    sv_digest_free(digest);
    digest = NULL;
  }
  sv_forks_let();
  return digest;
}

int sv_digest_file(const char *path, char hex[SV_SHA256_HEX]) {
  int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return errno;
  }
  sv_digest *digest = begun_digest();
  int problem = digest ? digest_open_file(digest, file, hex) : ENOMEM;
  sv_digest_free(digest);
  close(file);
  return problem;
}
