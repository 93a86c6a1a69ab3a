/*
** What whoever starts a program tells it, in UTF-8. May be called on any
** thread, while none changes the environment.
*/
#ifndef SV_SYSTEM_ENVIRONMENT_H
#define SV_SYSTEM_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether there is a variable of this name. `size` is what its value takes with
** its ending zero; it is copied where that fits. */
bool sv_environment_get(const char *name, char *value, size_t room,
                        size_t *size);

/* The words of the command line, the program's name first, each with its ending
** zero; malloc'd, the caller's. NULL where memory is short, or what main() gets
** is UTF-8 already. */
char *sv_environment_words(int *count);

#endif
