/*
** SIGHUP, for a program that is to read its files again. Only the program itself
** may ask for that: a library leaves the signals to its host.
*/
#ifndef SV_SYSTEM_HANGUP_H
#define SV_SYSTEM_HANGUP_H

#include <stdbool.h>

/* From now on SIGHUP is noted, and ends nothing. A process that was told to
** ignore it goes on ignoring it. */
void sv_hangup_begin(void);

/* Puts back what was there before. */
void sv_hangup_end(void);

/* Whether one came since this was last asked. */
bool sv_hangup_came(void);

#endif
