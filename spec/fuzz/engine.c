/*
** The engine, end to end: requests of every make, answered with any bytes.
*/
#define _GNU_SOURCE

#include "http/network.h"

#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "http/answer.h"
#include "peer.h"

enum { MAX_BODY = 2000, STEPS = 100000 };

static const sv_header headers[] = {{"Accept", "*/*"}, {"X-Empty", ""}};

/* A first byte of flags, the size of the answer's pieces, the offset of a
** body that goes on and whether more is known of its file; then the answer. */
static sv_request take_request(bytes *b, peer_answer *answer,
                               const char *file) {
  unsigned flags = take(b);
  sv_request request = {
      .method = flags & 1 ? "POST" : "GET",
      .url = flags & 2 ? "http://127.0.0.1/a?sig=secret"
                       : "https://127.0.0.1/a?sig=secret",
      .headers = headers,
      .header_count = 2,
      .body = "{\"prompt\":\"a\"}",
      .body_size = flags & 1 ? 14 : 0,
      .timeout = 10,
      .max_body = MAX_BODY,
      .fresh = flags & 4,
      .redirects = (flags & 8) && !(flags & 1) ? 3 : 0,
      .insecure_http = flags & 16,
      .sink_path = flags & 32 ? file : NULL,
      .sink_sync = flags & 64,
  };
  answer->early = flags & 128;
  answer->piece = take(b);
  unsigned known = take(b);
  request.sink_offset = known % 64;
  request.sink_etag = known & 64 ? "\"a\"" : NULL;
  request.sink_total = known & 128 ? 20 : 0;
  answer->bytes = (const char *)b->at;
  answer->size = b->left;
  return request;
}

static void check_failure(const sv_outcome *outcome) {
  HOLDS(*outcome->message && strlen(outcome->message) < 320);
  HOLDS(!strstr(outcome->message, "secret"));
  for (const char *c = outcome->message; *c; c++) {
    HOLDS((unsigned char)*c >= 0x20 && *c != 0x7F);
  }
}

static void check_head(const sv_transfer *transfer) {
  const char *cursor = transfer->head.data;
  const char *end = cursor ? cursor + transfer->head.size : NULL;
  sv_header_line line;
  while (cursor && sv_head_next(&cursor, end, &line)) {
    HOLDS(line.value + line.value_size <= end);
  }
}

static void check_file(const sv_outcome *outcome, int file) {
  struct stat now;
  HOLDS(outcome->status == 200 || outcome->status == 203 ||
        outcome->status == 206);
  HOLDS(fstat(file, &now) == 0);
  HOLDS(now.st_size == outcome->file_offset + outcome->file_bytes);
  HOLDS(strspn(outcome->sha256, "0123456789abcdef") == 64);
}

/* What arrived at the peer was sent, and an order arrived once. */
static void check_evidence(const sv_request *request,
                           const sv_outcome *outcome) {
  peer_record record = peer_look();
  bool order = strcmp(request->method, "POST") == 0 && request->fresh;
  HOLDS(outcome->sent || record.requests == 0);
  HOLDS(outcome->sent || outcome->phase <= SV_PHASE_REQUEST);
  HOLDS(!order || record.connections == 1);
  HOLDS(!order || record.posts <= 1);
}

static void check_end(const sv_transfer *transfer, const sv_request *request,
                      int file) {
  const sv_outcome *outcome = &transfer->outcome;
  HOLDS(transfer->body.size <= MAX_BODY);
  check_head(transfer);
  check_evidence(request, outcome);
  if (outcome->reason != SV_REASON_NONE) {
    check_failure(outcome);
    return;
  }
  HOLDS(outcome->status >= 200 && outcome->sent);
  HOLDS(outcome->phase == SV_PHASE_BODY);
  if (outcome->to_file) {
    check_file(outcome, file);
  }
}

static void check_engine(const sv_request *request, int file) {
  sv_network *network = sv_network_new("/dev/null", 4, true);
  sv_outcome failure;
  HOLDS(network != NULL);
  sv_ticket *ticket = sv_network_submit(network, request, &failure);
  HOLDS(ticket != NULL);
  for (int i = 0; !sv_item_done(&ticket->item); i++) {
    HOLDS(i < STEPS);
    sv_network_step(network, 0);
    peer_go_on();
  }
  check_end(&ticket->transfer, request, file);
  sv_item_release(&ticket->item);
  sv_network_close(network);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (memmem(data, size, "secret", 6)) {
    return 0; /* where the server says the word, hearing it proves nothing */
  }
  bytes b = {data, size};
  peer_answer answer = {0};
  char path[] = "/dev/shm/starvideos-fuzz-XXXXXX"; /* a sink follows no link */
  int file = mkstemp(path);
  HOLDS(file >= 0 && ftruncate(file, 16) == 0);
  sv_request request = take_request(&b, &answer, path);
  peer_start(answer);
  check_engine(&request, file);
  peer_start(answer);
  close(file);
  unlink(path);
  return 0;
}
