/*
** The top-level boxes of a file of any bytes; the first line is where a read
** fails, 0 for nowhere.
*/
#include "rules/video.h"

#include <errno.h>

#include "bytes.h"

static const char *file_bytes;
static size_t file_size;
static long reads, failing;

/* A read past the end of the copy is seen by the sanitizer. */
static int read_at(int file, long long position, void *into, size_t room,
                   size_t *count) {
  HOLDS(file == 7);
  HOLDS(position >= 0 && (position == 0 || (size_t)position < file_size));
  *count = 0;
  if (++reads == failing) {
    return EIO;
  }
  size_t left = file_size - (size_t)position;
  *count = left < room ? left : room;
  memcpy(into, file_bytes + position, *count);
  return 0;
}

static int is_one_of(const char *text, const char *const *words) {
  while (*words && strcmp(text, *words) != 0) {
    words++;
  }
  return *words != NULL;
}

/* Of what is no MP4 nothing more is said; what is a video by its beginning may
** turn out to be an image, and nothing else changes but the name of its kind. */
static void check(const sv_video *video, const char *beginning) {
  static const char *const containers[] = {"mp4", "mov", "webm", "matroska",
                                           "mpegts", "avi", NULL};
  static const char *const states[] = {"whole", "cut", "trailed", NULL};
  HOLDS(!video->container || is_one_of(video->container, containers));
  HOLDS(is_one_of(video->state, states));
  HOLDS(beginning || !video->container);
  int is_boxes = beginning && (strcmp(beginning, "mp4") == 0 ||
                               strcmp(beginning, "mov") == 0);
  HOLDS(is_boxes || strcmp(video->state, "whole") == 0);
  HOLDS(is_boxes || video->container == beginning);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  bytes b = {data, size};
  size_t digits;
  char text[24] = "";
  const char *line = take_line(&b, &digits);
  if (digits) {
    memcpy(text, line, digits < 19 ? digits : 18);
  }
  failing = strtol(text, NULL, 10);
  reads = 0;
  file_size = b.left;
  char *copy = copy_exactly(b.at, b.left);
  file_bytes = copy;
  sv_video video;
  int problem = sv_video_look(&video, 7, (long long)file_size, read_at);
  HOLDS(problem == 0 || problem == EIO);
  HOLDS(reads <= SV_VIDEO_BOXES + 1);
  if (!problem) {
    size_t some = file_size < SV_VIDEO_BEGINNING ? file_size
                                                 : SV_VIDEO_BEGINNING;
    check(&video, sv_video_container(copy, some));
  }
  free(copy);
  return 0;
}
