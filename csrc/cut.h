/*
** Ending a connection that belongs to a library, on whose socket another thread
** sleeps. It is found by a mark: its TCP_USER_TIMEOUT, which libpq sets as it
** is told, and nobody else does.
*/
#ifndef SV_CUT_H
#define SV_CUT_H

/* Milliseconds, 15 to 35 seconds, that no descriptor of this process has. */
int sv_cut_mark(void);

/* Shuts down what bears the mark. */
void sv_cut(int mark);

#endif
