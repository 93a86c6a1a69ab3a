/*
** The least a query can cost: one easy handle, used again and again, whose
** answers nobody reads.
**
**   query_plain URL KEY COUNT
**
** prints the seconds that COUNT requests took, after a first one that opened
** the connection.
*/
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <curl/curl.h>

static size_t discard(char *data, size_t size, size_t count, void *unused) {
  (void)data;
  (void)unused;
  return size * count;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static CURL *prepare(const char *url, struct curl_slist *headers) {
  CURL *easy = curl_easy_init();
  if (easy != NULL) {
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  }
  return easy;
}

int main(int argc, char **argv) {
  char authorization[256];
  struct curl_slist *headers;
  CURL *easy;
  double start;
  long i, count;
  CURLcode code = CURLE_FAILED_INIT;
  if (argc != 4) {
    fprintf(stderr, "usage: %s URL KEY COUNT\n", argv[0]);
    return 2;
  }
  count = strtol(argv[3], NULL, 10);
  snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
           argv[2]);
  curl_global_init(CURL_GLOBAL_ALL);
  headers = curl_slist_append(NULL, authorization);
  easy = prepare(argv[1], headers);
  if (easy != NULL) code = curl_easy_perform(easy);
  start = now();
  for (i = 0; i < count && code == CURLE_OK; i++)
    code = curl_easy_perform(easy);
  printf("%.9f\n", now() - start);
  if (code != CURLE_OK) fprintf(stderr, "%s\n", curl_easy_strerror(code));
  curl_easy_cleanup(easy);
  curl_slist_free_all(headers);
  curl_global_cleanup();
  return code != CURLE_OK;
}
