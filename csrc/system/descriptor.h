/*
** A descriptor that knows what it was opened for. After a fork its number may
** be another's: the child may have closed it and opened a file of its own.
*/
#ifndef SV_SYSTEM_DESCRIPTOR_H
#define SV_SYSTEM_DESCRIPTOR_H

#include <stdbool.h>

typedef struct sv_descriptor {
  int number; /* -1: none */
  unsigned long long device, inode; /* what it was opened for */
} sv_descriptor;

/* Takes an open file, or -1. */
sv_descriptor sv_descriptor_of(int file);

/* Whether the number still leads to what was opened. */
bool sv_descriptor_holds(const sv_descriptor *descriptor);

/* What stands at a path, by a number of this process that leads to it; -1: none
** does. */
sv_descriptor sv_descriptor_find(const char *path);

/* Another number that leads to the same; false where there is none. */
bool sv_descriptor_find_again(sv_descriptor *descriptor);

/* Opens what is missing of 0 to 2, so that no socket or file of ours gets such a
** number: what the program prints would go there. To read or to write there
** fails as before. On any thread. */
void sv_descriptor_fill_standard(void);

/* Above all numbers that are open, of those that are looked at where a descriptor
** is searched for. */
int sv_descriptor_most(void);

/* Keeps a file or socket from programs that the host starts. */
void sv_descriptor_keep_private(int file);

/* Closes what was opened, and nothing else; there is none then. 0 or an
** errno. */
int sv_descriptor_close(sv_descriptor *descriptor);

#endif
