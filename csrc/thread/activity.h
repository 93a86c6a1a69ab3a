/*
** What an actor's thread is at: since when, and on which connection it waits.
** Times are in seconds.
*/
#ifndef SV_THREAD_ACTIVITY_H
#define SV_THREAD_ACTIVITY_H

/* All zero: nothing. */
typedef struct sv_activity {
  long long begun; /* atomic: microseconds of sv_now; 0: nothing is under way */
  int socket_mark; /* atomic; of its connection, 0: none */
} sv_activity;

/* --- on an actor's thread; elsewhere a heartbeat does nothing ------------- */

/* The thread goes on, and what comes next may take so many seconds without
** being taken for stuck. */
void sv_activity_heartbeat(double seconds);

/* The mark (see socket_mark.h) of the connection that is about to be made,
** which sv_actor_disconnect is to shut down. Elsewhere just a mark. */
int sv_activity_socket_mark(void);

/* From now on the activity of the thread that calls. */
void sv_activity_enter(sv_activity *activity);
void sv_activity_begin(sv_activity *activity);
void sv_activity_end(sv_activity *activity);

/* --- on any thread -------------------------------------------------------- */

/* Tells one activity from the next, and from itself before a heartbeat; 0:
** nothing is under way. */
long long sv_activity_begun(const sv_activity *activity);

/* Since it was begun, or the time that its last heartbeat asked for was over; 0
** also before that. */
double sv_activity_seconds(long long begun);

/* Shuts down its connection where it is still at the same. */
void sv_activity_disconnect(const sv_activity *activity, long long begun);

#endif
