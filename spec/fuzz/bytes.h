/*
** A fuzzer's bytes, read as choices: each target builds what it hands to the
** library from them. Past the end all reads give 0.
*/
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
  const uint8_t *at;
  size_t left;
} bytes;

/* What must hold whatever the bytes are. */
#define HOLDS(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
              #condition);                                            \
      abort();                                                        \
    }                                                                 \
  } while (0)

static inline unsigned take(bytes *b) {
  if (b->left == 0) {
    return 0;
  }
  b->left--;
  return *b->at++;
}

/* Less than `count`, which is 1 to 256. */
static inline unsigned choose(bytes *b, unsigned count) {
  return take(b) % count;
}

/* Up to the next newline or the end: what follows stays readable in a seed. */
static inline const char *take_line(bytes *b, size_t *size) {
  const char *start = (const char *)b->at;
  const uint8_t *stop = b->left ? memchr(b->at, '\n', b->left) : NULL;
  *size = stop ? (size_t)(stop - b->at) : b->left;
  size_t used = stop ? *size + 1 : *size;
  b->at += used;
  b->left -= used;
  return start;
}

/* Numbers at which conversions and comparisons turn, or any bits at all. */
static inline double take_number(bytes *b) {
  static const double turning[] = {
      0,    -0.0,     1,     3,    4,    10,   15,   16,    720,  2160, -1,
      8.5,  1e-9,     0.999, 2147483648.0, 9007199254740992.0,
      9007199254740991.0, 9223372036854775808.0, -9223372036854775808.0,
      20971520,  209715200,  1e300, -1e300, 5e-324};
  enum { COUNT = sizeof turning / sizeof *turning };
  unsigned kind = choose(b, COUNT + 5);
  uint64_t bits = 0;
  double number;
  if (kind < COUNT) {
    return turning[kind];
  }
  if (kind == COUNT) {
    return (double)take(b);
  }
  bits = kind == COUNT + 1   ? UINT64_C(0x7FF0000000000000)
         : kind == COUNT + 2 ? UINT64_C(0xFFF0000000000000)
         : kind == COUNT + 3 ? UINT64_C(0x7FF8000000000001)
                             : 0;
  for (int i = 0; bits == 0 && i < 8; i++) {
    bits = bits << 8 | take(b);
  }
  memcpy(&number, &bits, sizeof number);
  return number;
}

/* A copy of its own, so that a read past its end is seen. */
static inline char *copy_exactly(const void *from, size_t size) {
  char *copy = malloc(size ? size : 1);
  HOLDS(copy != NULL);
  if (size) {
    memcpy(copy, from, size);
  }
  return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
