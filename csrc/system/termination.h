/*
** What ends a program from outside: SIGTERM, a terminal that is closed (SIGHUP),
** a reader of its output that is gone (SIGPIPE), the limit on file sizes
** (SIGXFSZ). Only the program itself may ask for that: a library leaves the
** signals to its host.
*/
#ifndef SV_SYSTEM_TERMINATION_H
#define SV_SYSTEM_TERMINATION_H

#include <stdbool.h>

/* From now on SIGTERM and SIGHUP raise SIGINT, for which the interpreter has a
** handler. A second SIGTERM ends the process, as does the first where no such
** handler stands (any more: it stands for one Ctrl-C alone); a second SIGHUP is
** ignored, because nobody sends one out of impatience. SIGPIPE and SIGXFSZ end
** nothing: the write fails, and programs that are started get them as they were.
** What the process was told to ignore stays ignored. */
void sv_termination_begin(void);

/* The work is done: SIGTERM does what it did before, SIGHUP nothing. The other two
** stay as they are, because streams are flushed later. */
void sv_termination_end(void);

/* Nobody reads what the program writes: raises SIGINT once, where a handler for it
** stands, and leaves that handler in place for whoever presses Ctrl-C. */
void sv_termination_lose_reader(void);

typedef enum sv_termination {
  SV_TERMINATION_NONE,
  SV_TERMINATION_READER, /* gone */
  SV_TERMINATION_SIGNAL  /* SIGTERM or SIGHUP */
} sv_termination;

/* What came, the signal before the reader. */
sv_termination sv_termination_came(void);

#endif
