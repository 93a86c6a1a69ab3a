/*
** How often this process came out of a fork, without a system call, and when
** it may go into one.
**
** What a library has locked on one thread at a fork stays locked for ever in
** the child, OpenSSL's among it; so a fork waits until the threads of all
** drivers are out of any library.
*/
#ifndef SV_FORKS_H
#define SV_FORKS_H

/* Changes in the child of fork(2), and only there. */
unsigned sv_forks(void);

/* Around what must not be torn by a fork: never while waiting, nor nested. May
** be called on any thread once sv_forks was; any number may be inside. */
void sv_forks_hold(void);
void sv_forks_let(void);

#endif
