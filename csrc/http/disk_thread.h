/*
** The thread for the disk. It works on tickets one after another, in the order
** in which any thread posts them. It takes none between sv_fork_hold and
** sv_fork_release, and works on none within them, so that no fork waits for
** the disk. Only for http/network and its threads.
*/
#ifndef SV_HTTP_DISK_THREAD_H
#define SV_HTTP_DISK_THREAD_H

#include "http/ticket.h"

typedef struct sv_disk_thread sv_disk_thread;

/* Does what a ticket asks for, on the disk's thread; `stop` (atomic) is set
** from when that thread is to end. */
typedef void sv_disk_work(sv_ticket *ticket, void *self, const int *stop);

/* NULL where memory or threads are short; errno says which. */
sv_disk_thread *sv_disk_thread_new(sv_disk_work *work, void *self);

/* Hands over a ticket, without a lock. */
void sv_disk_thread_post(sv_disk_thread *disk, sv_ticket *ticket);

/* Waits until all that was handed over is done. */
void sv_disk_thread_close(sv_disk_thread *disk);

#endif
