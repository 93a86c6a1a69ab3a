/*
** SIGTERM, for a program that is to stop as it does at Ctrl-C. Only the program
** itself may ask for that: a library leaves the signals to its host.
*/
#ifndef SV_PLATFORM_TERMINATION_H
#define SV_PLATFORM_TERMINATION_H

#include <stdbool.h>

/* From now on SIGTERM raises SIGINT, for which the interpreter has a handler.
** It ends the process, as without us, where there is no such handler (any more:
** it stands for one Ctrl-C alone), and at a second one. A process that was told
** to ignore it goes on ignoring it. */
void sv_termination_begin(void);

/* Puts back what was there before. */
void sv_termination_end(void);

/* Whether one came. */
bool sv_termination_came(void);

#endif
