/*
** The least that an order can cost: libcurl alone, a new handle and a new
** connection each time, whose answers nobody reads.
**
**   create_plain URL KEY CA_FILE BODY COUNT
**
** prints the seconds that COUNT requests took, and the processor's seconds
** among them, after a first one.
*/
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

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

static bool order(char **argv, struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  if (!easy) {
    return false;
  }
  curl_easy_setopt(easy, CURLOPT_URL, argv[1]);
  curl_easy_setopt(easy, CURLOPT_CAINFO, argv[3]);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_POSTFIELDS, argv[4]);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) {
    fprintf(stderr, "%s\n", curl_easy_strerror(code));
  }
  curl_easy_cleanup(easy);
  return code == CURLE_OK;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s URL KEY CA_FILE BODY COUNT\n", argv[0]);
    return 2;
  }
  char authorization[256];
  snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
           argv[2]);
  curl_global_init(CURL_GLOBAL_ALL);
  struct curl_slist *headers = curl_slist_append(NULL, authorization);
  headers = curl_slist_append(headers, "Content-Type: application/json");
  bool fine = order(argv, headers);
  double wall = read_clock(CLOCK_MONOTONIC);
  double cpu = read_clock(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = strtol(argv[5], NULL, 10); i > 0 && fine; i--) {
    fine = order(argv, headers);
  }
  printf("%.9f %.9f\n", read_clock(CLOCK_MONOTONIC) - wall,
         read_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  return !fine;
}
