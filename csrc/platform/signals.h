/*
** Signals that network and disk raise against the whole process, held back on
** one thread while it does their work.
*/
#ifndef SV_PLATFORM_SIGNALS_H
#define SV_PLATFORM_SIGNALS_H

#include <signal.h>

typedef struct sv_signals {
  sigset_t before, held;
} sv_signals;

/* A write may raise SIGPIPE, which libcurl leaves to its caller with NOSIGNAL,
** and beyond the limit on file sizes SIGXFSZ; either would end the process.
** Both are held back on this thread alone. */
void sv_signals_hold(sv_signals *signals);

/* Takes away what came up meanwhile, and lets them through again. */
void sv_signals_let(sv_signals *signals);

#endif
