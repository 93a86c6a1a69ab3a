#define _GNU_SOURCE /* gethostname */

#include "system/machine.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#ifdef __APPLE__
#include <sys/sysctl.h>
#endif

#include "system/file.h"

#include "rules/visibility.h"

size_t sv_machine_name(char *text, size_t room) {
  if (gethostname(text, room) != 0 || !memchr(text, '\0', room)) {
    return 0;
  }
  return strlen(text);
}

#ifdef __APPLE__

size_t sv_machine_boot(char *text, size_t room) {
  size_t size = room; /* with the ending zero */
  bool is_known =
      sysctlbyname("kern.bootsessionuuid", text, &size, NULL, 0) == 0;
  return is_known && size > 0 ? size - 1 : 0;
}

#else

/* Linux; of other systems it is not known. */
size_t sv_machine_boot(char *text, size_t room) {
  size_t count = 0;
  int file;
  if (sv_file_open(&file, "/proc/sys/kernel/random/boot_id", SV_FILE_READ,
                   false) != 0) {
    return 0;
  }
  int problem = sv_file_read(file, text, room, &count);
  sv_file_close(file);
  count -= !problem && count > 0 && text[count - 1] == '\n';
  return problem || count == room ? 0 : count;
}

#endif
