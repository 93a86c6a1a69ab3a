/*
** The terminal that a descriptor leads to.
*/
#ifndef SV_PLATFORM_TERMINAL_H
#define SV_PLATFORM_TERMINAL_H

/* How many columns and rows it has at present; 0 where that is not known, or
** the descriptor leads to no terminal. */
void sv_terminal_size(int descriptor, int *columns, int *rows);

#endif
