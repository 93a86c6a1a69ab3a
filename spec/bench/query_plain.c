/*
** The least that queries can cost: libcurl alone, whose answers nobody reads.
**
**   query_plain URL KEY COUNT AT_ONCE
**
** prints the seconds that COUNT requests took, and the processor's seconds
** among them, after first ones that opened the connections. With AT_ONCE 1 it
** uses one easy handle again and again, else a multi handle that has so many
** under way.
*/
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

enum { MOST = 256 };

static size_t discard(char *data, size_t size, size_t count, void *unused) {
  (void)data;
  (void)unused;
  return size * count;
}

static double read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static CURL *prepare(const char *url, struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  if (easy) {
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  }
  return easy;
}

static bool one_by_one(CURL *easy, long count) {
  CURLcode code = CURLE_OK;
  for (long i = 0; i < count && code == CURLE_OK; i++) {
    code = curl_easy_perform(easy);
  }
  return code == CURLE_OK;
}

/* Begins another request wherever one has ended, until `count` have begun. */
static bool collect(CURLM *multi, long *begun, long *ended, long count) {
  CURLMsg *message;
  int left;
  while ((message = curl_multi_info_read(multi, &left))) {
    CURL *easy = message->easy_handle;
    if (message->data.result != CURLE_OK) {
      return false;
    }
    ++*ended;
    curl_multi_remove_handle(multi, easy);
    if (*begun < count) {
      ++*begun;
      curl_multi_add_handle(multi, easy);
    }
  }
  return true;
}

static bool side_by_side(CURLM *multi, CURL **easy, int at_once, long count) {
  long begun = 0, ended = 0;
  bool fine = true;
  while (begun < at_once && begun < count) {
    curl_multi_add_handle(multi, easy[begun++]);
  }
  while (fine && ended < count) {
    int running;
    curl_multi_perform(multi, &running);
    fine = collect(multi, &begun, &ended, count);
    if (fine && ended < count) {
      curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
  }
  return fine;
}

static bool run(CURLM *multi, CURL **easy, int at_once, long count) {
  return at_once == 1 ? one_by_one(easy[0], count)
                      : side_by_side(multi, easy, at_once, count);
}

int main(int argc, char **argv) {
  static CURL *easy[MOST];
  if (argc != 5) {
    fprintf(stderr, "usage: %s URL KEY COUNT AT_ONCE\n", argv[0]);
    return 2;
  }
  long count = strtol(argv[3], NULL, 10);
  int at_once = (int)strtol(argv[4], NULL, 10);
  at_once = at_once < MOST ? at_once : MOST;
  char authorization[256];
  snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
           argv[2]);
  curl_global_init(CURL_GLOBAL_ALL);
  struct curl_slist *headers = curl_slist_append(NULL, authorization);
  CURLM *multi = curl_multi_init();
  for (int i = 0; i < at_once; i++) {
    easy[i] = prepare(argv[1], headers);
  }
  bool fine = run(multi, easy, at_once, at_once);
  double wall = read_clock(CLOCK_MONOTONIC);
  double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  fine = fine && run(multi, easy, at_once, count);
  printf("%.9f %.9f\n", read_clock(CLOCK_MONOTONIC) - wall,
         read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  for (int i = 0; i < at_once; i++) {
    curl_easy_cleanup(easy[i]);
  }
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  return !fine;
}
