/*
** The terminal that a descriptor leads to.
*/
#ifndef SV_PLATFORM_TERMINAL_H
#define SV_PLATFORM_TERMINAL_H

/* How many columns it has at present; 0 where that is not known, or the
** descriptor leads to no terminal. */
int sv_terminal_columns(int descriptor);

#endif
