#include "platform/notifier.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "platform/thread.h"
#include "platform/windows/win32.h"

#include "core/hidden.h"

/* Two datagram sockets of this machine that hear each other alone, for a loop
** can watch nothing but a socket. */
struct sv_notifier {
  int owners; /* atomic */
  SOCKET reader, writer;
  int is_set;  /* atomic: notified, and not cleared */
  long unread; /* datagrams that were or will be sent */
};

/* --- start and end -------------------------------------------------------- */

static int is_started; /* atomic */

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

static int open_pair(sv_notifier *notifier) {
  struct sockaddr_in reader, writer;
  notifier->reader = open_end(&reader);
  notifier->writer = open_end(&writer);
  if (notifier->reader == INVALID_SOCKET ||
      notifier->writer == INVALID_SOCKET ||
      !connect_to(notifier->reader, &writer) ||
      !connect_to(notifier->writer, &reader)) {
    int problem = socket_problem();
    close_end(notifier->reader);
    close_end(notifier->writer);
    return problem;
  }
  drain(notifier->reader);
  return 0;
}

sv_notifier *sv_notifier_new(void) {
  sv_notifier *notifier = calloc(1, sizeof *notifier);
  sv_thread_once(&is_started, start_winsock);
  int problem = notifier ? open_pair(notifier) : ENOMEM;
  if (problem) {
    free(notifier);
    errno = problem;
    return NULL;
  }
  notifier->owners = 1;
  return notifier;
}

sv_notifier *sv_notifier_share(sv_notifier *notifier) {
  __atomic_add_fetch(&notifier->owners, 1, __ATOMIC_RELAXED);
  return notifier;
}

void sv_notifier_drop(sv_notifier *notifier) {
  if (__atomic_sub_fetch(&notifier->owners, 1, __ATOMIC_ACQ_REL) == 0) {
    closesocket(notifier->writer);
    closesocket(notifier->reader);
    free(notifier);
  }
}

/* --- telling -------------------------------------------------------------- */

/* Nobody reuses the number of a socket that is open. */
bool sv_notifier_holds(const sv_notifier *notifier) {
  (void)notifier;
  return true;
}

bool sv_notifier_repair(sv_notifier *notifier) {
  (void)notifier;
  return true;
}

/* A handle of the system's has 32 bits that count. */
int sv_notifier_descriptor(sv_notifier *notifier) {
  return (int)notifier->reader;
}

/* Each time the flag is set one datagram is sent. */
void sv_notifier_notify(sv_notifier *notifier) {
  if (!__atomic_exchange_n(&notifier->is_set, 1, __ATOMIC_SEQ_CST)) {
    send(notifier->writer, "!", 1, 0);
  }
}

/* Waits for nobody: what a thread is just about to send stays counted as
** unread, until the next time. */
void sv_notifier_clear(sv_notifier *notifier) {
  char byte;
  notifier->unread += __atomic_exchange_n(&notifier->is_set, 0,
                                          __ATOMIC_SEQ_CST);
  while (notifier->unread > 0 && recv(notifier->reader, &byte, 1, 0) == 1) {
    notifier->unread--;
  }
}

void sv_notifier_wait(sv_notifier *notifier, double seconds) {
  const double longest = 3600;
  WSAPOLLFD end = {.fd = notifier->reader, .events = POLLRDNORM};
  double left = seconds < longest ? seconds : longest;
  WSAPoll(&end, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
}

/* --- the peer ------------------------------------------------------------- */

/* For nginx, which has no such workers here. */

int sv_notifier_listen(sv_notifier *notifier, const char **path) {
  (void)notifier;
  *path = "";
  return ENOSYS;
}

int sv_notifier_accept(sv_notifier *notifier) {
  (void)notifier;
  return ENOTCONN;
}

void sv_notifier_disconnect(sv_notifier *notifier) {
  (void)notifier;
}

void sv_notifier_reopen(sv_notifier *notifier) {
  (void)notifier;
}
