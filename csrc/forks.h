/*
** How often this process came out of a fork, without a system call.
*/
#ifndef SV_FORKS_H
#define SV_FORKS_H

/* Changes in the child of fork(2), and only there. */
unsigned sv_forks(void);

#endif
