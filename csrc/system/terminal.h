/*
** Terminals: the one that a descriptor leads to (0, 1 or 2), and the one at
** which a person has started this program.
*/
#ifndef SV_SYSTEM_TERMINAL_H
#define SV_SYSTEM_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

bool sv_terminal_is(int descriptor);

/* How many columns and rows it has at present; 0 where that is not known, or
** the descriptor leads to no terminal. */
void sv_terminal_size(int descriptor, int *columns, int *rows);

/* Writes UTF-8 to a terminal, past the C library: where that writes single bytes
** a character of several would not be one. 0 or an errno. */
int sv_terminal_write(int descriptor, const char *text, size_t size);

/* Whether there is a person to ask, wherever stdin comes from. */
bool sv_terminal_can_ask(void);

typedef enum sv_terminal_answer {
  SV_TERMINAL_LINE, /* the person has ended one */
  SV_TERMINAL_END,  /* there will be none */
  SV_TERMINAL_NOT_YET
} sv_terminal_answer;

/* Reads a line from that person, in UTF-8, without its end; what does not fit
** is left out. Comes back within so many seconds, or at a signal: Ctrl-C is to be
** noticed between two calls. On one thread. */
sv_terminal_answer sv_terminal_read(double seconds, char *line, size_t room);

/* From now on what the program writes is taken for UTF-8, with the sequences
** that move the cursor. Only the program itself may ask for that: the terminal
** is its host's. */
void sv_terminal_begin(void);

/* Puts back what was there before. */
void sv_terminal_end(void);

#endif
