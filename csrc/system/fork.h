/*
** How often this process came out of a fork, without a system call, and when
** it may fork, or exit. Where there is no fork, the exit alone counts.
**
** What a library has locked on one thread at a fork stays locked for ever in
** the child, OpenSSL's among it; and at exit(3) OpenSSL frees what its other
** threads are using. So both wait until no thread of ours is inside of a
** library; an exit does so for a second at most.
**
** A module has this of its own, with what it says of its own threads. All may
** be called on any thread.
*/
#ifndef SV_SYSTEM_FORK_H
#define SV_SYSTEM_FORK_H

/* Changes in the child of fork(2), and at exit(3), which keeps our threads
** from going on: what they were at is lost then, too. */
unsigned sv_fork_count(void);

/* To be called once the libraries have been started: what is to be done at
** exit is done in reverse order. */
void sv_fork_guard_exit(void);

/* For how many seconds a fork and an exit wait at most for threads that are
** inside, where that may be long; of several times for a fork the longest. */
void sv_fork_limit(double for_fork, double for_exit);

/* Around what no fork and no exit may interrupt: never while waiting, nor
** nested. Any number of threads may hold them back. */
void sv_fork_hold(void);
void sv_fork_release(void);

#endif
