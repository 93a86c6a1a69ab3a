/*
** Signals: those that our own work raises, held back on one thread while it does
** that; those that end a program or are to have it read its files again, which
** only the program itself may ask for, because a library leaves the signals to
** its host; and Ctrl-C. Where there is no such signal there is nothing to do.
*/
#ifndef SV_SYSTEM_SIGNALS_H
#define SV_SYSTEM_SIGNALS_H

#include <stdbool.h>

/* --- what our writes raise ------------------------------------------------ */

enum { SV_SIGNALS = 2 };

/* How the host's thread treats each of them. */
typedef struct sv_signals {
  bool is_blocked[SV_SIGNALS], is_pending[SV_SIGNALS];
} sv_signals;

/* A write may raise SIGPIPE, which libcurl leaves to its caller with NOSIGNAL,
** and beyond the limit on file sizes SIGXFSZ; either would end the process.
** Both are held back on this thread alone. */
void sv_signals_hold(sv_signals *signals);

/* Takes away what our own writes raised meanwhile, and lets the signals through
** again; on the same thread. The host keeps its mask, what was pending before,
** and what another process sent meanwhile. */
void sv_signals_release(const sv_signals *signals);

/* --- Ctrl-C --------------------------------------------------------------- */

/* For how many seconds at most a thread of the host's may wait in one call that
** was asked for so many; its caller looks, and waits again. The interpreter
** raises its error once a call of C has returned: where signals end a system
** call, that call returns; elsewhere it must not take long. */
double sv_interrupt_limit(double seconds);

/* --- what ends a program from outside ------------------------------------- */

/* From now on SIGTERM and SIGHUP raise SIGINT, for which the interpreter has a
** handler. A second SIGTERM ends the process, as does the first where no such
** handler stands (any more: it stands for one Ctrl-C alone); a second SIGHUP is
** ignored, because nobody sends one out of impatience. SIGPIPE and SIGXFSZ end
** nothing: the write fails, and programs that are started get them as they were.
** What the process was told to ignore stays ignored. */
void sv_termination_begin(void);

/* The work is done: SIGTERM does what it did before, SIGHUP nothing. The other
** two stay as they are, because streams are flushed later. */
void sv_termination_end(void);

/* Nobody reads what the program writes: raises SIGINT once, where a handler for
** it stands, and leaves that handler in place for whoever presses Ctrl-C. */
void sv_termination_lose_reader(void);

typedef enum sv_termination {
  SV_TERMINATION_NONE,
  SV_TERMINATION_READER, /* gone */
  SV_TERMINATION_SIGNAL  /* SIGTERM or SIGHUP */
} sv_termination;

/* What came, the signal before the reader. */
sv_termination sv_termination_came(void);

/* --- SIGHUP, for a program that is to read its files again ---------------- */

/* From now on SIGHUP is noted, and ends nothing. A process that was told to
** ignore it goes on ignoring it. */
void sv_hangup_begin(void);

/* Puts back what was there before. */
void sv_hangup_end(void);

/* Whether one came since this was last asked. */
bool sv_hangup_came(void);

#endif
