/*
** Signals that network and disk raise against the whole process, held back on
** one thread while it does their work. Where there are no such signals,
** nothing is to be done.
*/
#ifndef SV_SYSTEM_SIGNALS_H
#define SV_SYSTEM_SIGNALS_H

#include <stdbool.h>

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

#endif
