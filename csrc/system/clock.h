/*
** The clocks, in seconds. All may be called on any thread.
*/
#ifndef SV_SYSTEM_CLOCK_H
#define SV_SYSTEM_CLOCK_H

/* Only goes forward; where the machine sleeps it may stand still. */
double sv_now(void);

/* Only goes forward, while the machine sleeps too. The same for all processes
** since it was started, but for those in a time namespace of their own. */
double sv_boottime(void);

/* Unix time. */
double sv_time(void);

/* Ends early when a signal was handled. */
void sv_sleep(double seconds);

#endif
