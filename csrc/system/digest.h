/*
** SHA-256 of bytes, at once or as they come, or of a file. Each digest is used by one
** thread at a time; what returns an int gives 0 or an errno.
*/
#ifndef SV_SYSTEM_DIGEST_H
#define SV_SYSTEM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { SV_SHA256_HEX = 2 * 32 + 1 }; /* FIPS 180-4; with the ending zero */

typedef struct sv_digest sv_digest;

/* NULL where memory is short. */
sv_digest *sv_digest_new(void);
void sv_digest_free(sv_digest *digest);

/* `begin` may be called again to start from nothing; `end` gives lowercase
** hex. */
int sv_digest_begin(sv_digest *digest);
int sv_digest_add(sv_digest *digest, const void *bytes, size_t size);
int sv_digest_end(sv_digest *digest, char hex[SV_SHA256_HEX]);

/* The digest of what was added so far; more may follow. */
int sv_digest_so_far(const sv_digest *digest, char hex[SV_SHA256_HEX]);

/* The digest of bytes that are all there. */
int sv_digest_bytes(const void *bytes, size_t size, char hex[SV_SHA256_HEX]);

/* HMAC of a text (FIPS 198-1), by which whoever has the key knows its own. */
int sv_digest_signed(const void *key, size_t key_size, const void *bytes,
                     size_t size, char hex[SV_SHA256_HEX]);

/* Whether two secrets of one size are equal, in a time that does not tell where
** they differ. */
bool sv_digest_same(const void *one, const void *other, size_t size);

/* The digest of what a file has from one position up to another, its end where
** that is -1; wherever it stands. SV_FILE_CHANGED where it ends before. Takes its
** time: ECANCELED once `stop` (or NULL) is set. */
int sv_digest_file(int file, long long from, long long to,
                   char hex[SV_SHA256_HEX], const _Atomic int *stop);

#endif
