#include "system/wakeup.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "system/thread.h"
#include "system/windows/win32.h"

#include "rules/visibility.h"

/* Two datagram sockets of this machine that hear each other alone, for a loop
** can watch nothing but a socket. */
struct sv_wakeup {
  _Atomic int owners;
  SOCKET reader, writer;
  _Atomic int is_set; /* notified, and not cleared */
  long unread; /* datagrams that were or will be sent */
};

/* --- start and end -------------------------------------------------------- */

static _Atomic bool is_started;

/* Never undone: others in this process use sockets, too. */
static void start_winsock(void) {
  WSADATA about;
  WSAStartup(MAKEWORD(2, 2), &about);
}

static int socket_problem(void) {
  int error = WSAGetLastError();
  return error == WSAEMFILE || error == WSAENOBUFS ? EMFILE
         : error == WSAEACCES                      ? EACCES
                                                   : EIO;
}

/* Bound to a port of its own, which `address` tells; never waited for, and not
** inherited by programs that another thread starts this moment. */
static SOCKET open_end(struct sockaddr_in *address) {
  u_long yes = 1;
  int size = sizeof *address;
  SOCKET end = WSASocketW(AF_INET, SOCK_DGRAM, 0, NULL, 0,
                          WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
  if (end == INVALID_SOCKET) {
    return INVALID_SOCKET;
  }
  *address = (struct sockaddr_in){.sin_family = AF_INET};
  address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(end, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (char *)&yes, sizeof yes);
  if (bind(end, (struct sockaddr *)address, sizeof *address) != 0 ||
      getsockname(end, (struct sockaddr *)address, &size) != 0 ||
      ioctlsocket(end, (long)FIONBIO, &yes) != 0) {
    closesocket(end);
    return INVALID_SOCKET;
  }
  return end;
}

static bool connect_to(SOCKET end, const struct sockaddr_in *other) {
  return connect(end, (const struct sockaddr *)other, sizeof *other) == 0;
}

/* What others of this machine sent to the port before it was connected. */
static void drain(SOCKET end) {
  char byte;
  while (recv(end, &byte, 1, 0) != SOCKET_ERROR ||
         WSAGetLastError() == WSAEMSGSIZE) {
  }
}

static void close_end(SOCKET end) {
  if (end != INVALID_SOCKET) {
    closesocket(end);
  }
}

static int open_pair(sv_wakeup *wakeup) {
  struct sockaddr_in reader, writer;
  wakeup->reader = open_end(&reader);
  wakeup->writer = open_end(&writer);
  if (wakeup->reader == INVALID_SOCKET ||
      wakeup->writer == INVALID_SOCKET ||
      !connect_to(wakeup->reader, &writer) ||
      !connect_to(wakeup->writer, &reader)) {
    int problem = socket_problem();
    close_end(wakeup->reader);
    close_end(wakeup->writer);
    return problem;
  }
  drain(wakeup->reader);
  return 0;
}

sv_wakeup *sv_wakeup_new(void) {
  sv_wakeup *wakeup = calloc(1, sizeof *wakeup);
  sv_thread_once(&is_started, start_winsock);
  int problem = wakeup ? open_pair(wakeup) : ENOMEM;
  if (problem) {
    free(wakeup);
    errno = problem;
    return NULL;
  }
  wakeup->owners = 1;
  return wakeup;
}

sv_wakeup *sv_wakeup_share(sv_wakeup *wakeup) {
  wakeup->owners++;
  return wakeup;
}

void sv_wakeup_drop(sv_wakeup *wakeup) {
  if (--wakeup->owners == 0) {
    closesocket(wakeup->writer);
    closesocket(wakeup->reader);
    free(wakeup);
  }
}

/* --- telling -------------------------------------------------------------- */

/* Nobody reuses the number of a socket that is open. */
bool sv_wakeup_holds(const sv_wakeup *wakeup) {
  (void)wakeup;
  return true;
}

bool sv_wakeup_repair(sv_wakeup *wakeup) {
  (void)wakeup;
  return true;
}

/* A handle of the system's has 32 bits that count. */
int sv_wakeup_descriptor(sv_wakeup *wakeup) {
  return (int)wakeup->reader;
}

/* Each time the flag is set one datagram is sent. */
void sv_wakeup_notify(sv_wakeup *wakeup) {
  if (!atomic_exchange(&wakeup->is_set, 1)) {
    send(wakeup->writer, "!", 1, 0);
  }
}

/* Waits for nobody: what a thread is just about to send stays counted as
** unread, until the next time. */
void sv_wakeup_clear(sv_wakeup *wakeup) {
  char byte;
  wakeup->unread += atomic_exchange(&wakeup->is_set, 0);
  while (wakeup->unread > 0 && recv(wakeup->reader, &byte, 1, 0) == 1) {
    wakeup->unread--;
  }
}

void sv_wakeup_wait(sv_wakeup *wakeup, double seconds) {
  const double longest = 3600;
  WSAPOLLFD end = {.fd = wakeup->reader, .events = POLLRDNORM};
  double left = seconds < longest ? seconds : longest;
  WSAPoll(&end, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
}

/* --- the peer ------------------------------------------------------------- */

/* For nginx, which has no such workers here. */

int sv_wakeup_listen(sv_wakeup *wakeup, const char **path) {
  (void)wakeup;
  *path = "";
  return ENOSYS;
}

int sv_wakeup_accept(sv_wakeup *wakeup) {
  (void)wakeup;
  return ENOTCONN;
}

void sv_wakeup_disconnect(sv_wakeup *wakeup) {
  (void)wakeup;
}

void sv_wakeup_reopen(sv_wakeup *wakeup) {
  (void)wakeup;
}
