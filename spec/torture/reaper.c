/*
** Runs a program and kills it as it is about to make a system call.
**
**   reaper CALL program argument ...
**
** CALL counts the calls of all its threads from 1, between the moments at
** which the program sends itself SIGUSR1 and SIGUSR2; with 0 it is not killed.
** Prints how many there were; the exit code is the program's, 137 where it was
** killed.
*/
#define _GNU_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                 PTRACE_O_EXITKILL };

static pid_t program;
static long wanted, calls;
static int counts, status_at_end;

static int is_about_to_call(pid_t thread) {
  struct __ptrace_syscall_info info;
  return ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) > 0 &&
         info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

/* The signal that the thread is to go on with. */
static int look(pid_t thread, int status) {
  int signal = WSTOPSIG(status);
  if (signal == (SIGTRAP | 0x80)) {
    if (counts && is_about_to_call(thread) && ++calls == wanted) {
      kill(program, SIGKILL);
    }
    return 0;
  }
  if (signal == SIGUSR1 || signal == SIGUSR2) {
    counts = signal == SIGUSR1;
    return 0;
  }
  /* What a new thread, or the tracing itself, stops with is not for it. */
  return signal == SIGTRAP || signal == SIGSTOP ? 0 : signal;
}

static void watch(void) {
  int status;
  pid_t thread;
  while ((thread = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
    if (WIFSTOPPED(status)) {
      ptrace(PTRACE_SYSCALL, thread, 0, look(thread, status));
    } else if (thread == program) {
      status_at_end = status;
    }
  }
}

int main(int count, char **words) {
  if (count < 3) {
    return 2;
  }
  wanted = atol(words[1]);
  program = fork();
  if (program == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    execvp(words[2], words + 2);
    _exit(127);
  }
  int status;
  if (program < 0 || waitpid(program, &status, 0) != program ||
      ptrace(PTRACE_SETOPTIONS, program, 0, OPTIONS) != 0) {
    perror("reaper");
    return 2;
  }
  ptrace(PTRACE_SYSCALL, program, 0, 0);
  watch();
  printf("%ld\n", calls);
  return WIFSIGNALED(status_at_end) ? 128 + WTERMSIG(status_at_end)
                                    : WEXITSTATUS(status_at_end);
}
