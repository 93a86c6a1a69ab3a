/*
** Which machine this is, and since when it runs. May be called on any thread.
**
** Each gives the length of what it has written to `text`, or 0 where that
** cannot be told or does not fit.
*/
#ifndef SV_SYSTEM_MACHINE_H
#define SV_SYSTEM_MACHINE_H

#include <stddef.h>

/* The host name, in UTF-8. */
size_t sv_machine_name(char *text, size_t room);

/* What is the same for all processes until the machine starts again, and
** another afterwards. */
size_t sv_machine_boot(char *text, size_t room);

#endif
