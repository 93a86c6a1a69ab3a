/*
** Waits that Ctrl-C is to end. The interpreter raises its error once a call of
** C has returned: where signals end a system call, that call returns; elsewhere
** it must not take long.
*/
#ifndef SV_SYSTEM_INTERRUPT_H
#define SV_SYSTEM_INTERRUPT_H

/* For how many seconds at most a thread of the host's may wait in one call that
** was asked for so many. Its caller looks, and waits again. */
double sv_interrupt_limit(double seconds);

#endif
