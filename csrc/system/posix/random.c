#define _GNU_SOURCE /* O_CLOEXEC */

#include "system/random.h"

#include <fcntl.h>
#include <unistd.h>

#include "system/file.h"

#include "rules/visibility.h"

/* Opened each time: it is a device, and rarely read. */
bool sv_random_bytes(void *bytes, size_t size) {
  size_t count = 0;
  int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  if (file >= 0) {
    sv_file_read(file, bytes, size, &count);
    close(file);
  }
  return count == size;
}
