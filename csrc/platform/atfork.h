/*
** How often this process came out of a fork, without a system call, and when
** it may go into one, or exit.
**
** What a library has locked on one thread at a fork stays locked for ever in
** the child, OpenSSL's among it; and at exit(3) OpenSSL frees what its other
** threads are using. So both wait until the threads of all drivers are out of
** any library; an exit does so for a second at most.
**
** A module has this of its own, with what it says of its own threads.
*/
#ifndef SV_PLATFORM_ATFORK_H
#define SV_PLATFORM_ATFORK_H

/* Changes in the child of fork(2), and at exit(3), which keeps the threads of
** drivers from going on: what they were at is lost then, too. */
unsigned sv_atfork(void);

/* To be called once the libraries have been started: what is to be done at
** exit is done in reverse order. */
void sv_atfork_guard_exit(void);

/* For how many seconds a fork and an exit wait at most for who is inside, where
** that may be long; of several times for a fork the longest. */
void sv_atfork_limit(double for_fork, double for_exit);

/* Around what must not be torn by a fork or an exit: never while waiting, nor
** nested. May be called on any thread; any number may be inside. */
void sv_atfork_hold(void);
void sv_atfork_let(void);

#endif
