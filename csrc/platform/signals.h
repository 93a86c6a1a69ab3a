/*
** Signals that network and disk raise against the whole process, held back on
** one thread while it does their work. Where there are no such signals,
** nothing is to be done.
*/
#ifndef SV_PLATFORM_SIGNALS_H
#define SV_PLATFORM_SIGNALS_H

#include <stdbool.h>

/* What the host holds back on this thread itself. */
typedef struct sv_signals {
  bool pipe, file_size;
} sv_signals;

/* A write may raise SIGPIPE, which libcurl leaves to its caller with NOSIGNAL,
** and beyond the limit on file sizes SIGXFSZ; either would end the process.
** Both are held back on this thread alone. */
void sv_signals_hold(sv_signals *signals);

/* Takes away what came up meanwhile, and lets them through again; on the same
** thread. What the host holds back stays as it is. */
void sv_signals_release(const sv_signals *signals);

#endif
