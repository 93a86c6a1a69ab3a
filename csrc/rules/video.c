#include "rules/video.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "rules/visibility.h"

enum { SHORT_HEAD = 8, LONG_HEAD = 16, TYPE = 4 };

/* --- boxes ---------------------------------------------------------------- */

/* Whether a type is one of a list of such names. */
static bool is_one_of(const uint8_t *type, const char *names) {
  for (; *names; names += TYPE) {
    if (memcmp(type, names, TYPE) == 0) {
      return true;
    }
  }
  return false;
}

static bool is_letter(uint8_t byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= 'a' && byte <= 'z') || byte == '_' || byte == 0xA9;
}

/* The types that stand at the top of an MP4 or MOV. */
static bool is_known(const uint8_t *type) {
  return is_one_of(type, "ftypstypmoovmoofmdatmfrafreeskipwidepnotsidxssixprft"
                         "uuidmetamecoemsgpdinudtaPICT");
}

static bool may_be_type(const uint8_t *type) {
  return is_letter(type[0]) && is_letter(type[1]) &&
         (is_letter(type[2]) || type[2] == ' ') &&
         (is_letter(type[3]) || type[3] == ' ');
}

static uint64_t number(const uint8_t *bytes, int count) {
  uint64_t read = 0;
  for (int i = 0; i < count; i++) {
    read = read << 8 | bytes[i];
  }
  return read;
}

/* The size of the box that begins with these bytes, of which `left` follow in
** the file: as many as are left where it reaches the end by definition, more
** where it reaches beyond; 0 where they begin no box. Of a type that nobody
** knows only its end tells that it is a box. */
static long long box_size(const uint8_t *head, size_t count, long long left) {
  if (count < SHORT_HEAD || !may_be_type(head + TYPE)) {
    return 0;
  }
  bool known = is_known(head + TYPE);
  uint64_t size = number(head, TYPE), least = SHORT_HEAD;
  if (size == 0) {
    return known ? left : 0;
  }
  if (size == 1 && count < LONG_HEAD) {
    size = LONG_HEAD;
  } else if (size == 1) {
    size = number(head + SHORT_HEAD, 8);
    least = LONG_HEAD;
  }
  if (size < least || (!known && size > (uint64_t)left)) {
    return 0;
  }
  return size < LLONG_MAX ? (long long)size : LLONG_MAX;
}

/* --- the beginning -------------------------------------------------------- */

/* An image may be stored in the same boxes. */
static const char *container_of_brand(const uint8_t *head, size_t size) {
  const uint8_t *brand = head + SHORT_HEAD;
  return size < SHORT_HEAD + TYPE                       ? "mp4"
         : is_one_of(brand, "qt  ")                     ? "mov"
         : is_one_of(brand, "avifavisheicheixmif1msf1") ? NULL
                                                        : "mp4";
}

/* Before there was `ftyp` a MOV began with any of the last. */
static const char *container_of_box(const uint8_t *head, size_t size) {
  if (size < SHORT_HEAD) {
    return NULL;
  }
  const uint8_t *type = head + TYPE;
  uint64_t length = number(head, TYPE);
  return length > 1 && length < SHORT_HEAD ? NULL
         : is_one_of(type, "ftyp")         ? container_of_brand(head, size)
         : is_one_of(type, "stypmoofsidx") ? "mp4"
         : is_one_of(type, "moovmdatfreeskipwidepnot") ? "mov"
                                                       : NULL;
}

/* Of an EBML header the DocType, an element of four or eight bytes. */
static const char *container_of_ebml(const uint8_t *bytes, size_t size) {
  static const uint8_t webm[] = {0x42, 0x82, 0x84, 'w', 'e', 'b', 'm'};
  for (size_t at = 4; at + sizeof webm <= size; at++) {
    if (memcmp(bytes + at, webm, sizeof webm) == 0) {
      return "webm";
    }
  }
  return "matroska";
}

/* Whether each packet begins with its mark, of at least three. */
static bool is_transport_stream(const uint8_t *bytes, size_t size,
                                size_t first, size_t packet) {
  size_t at = first;
  while (at < size && bytes[at] == 0x47) {
    at += packet;
  }
  return at >= size && at >= first + 3 * packet;
}

const char *sv_video_container(const void *beginning, size_t size) {
  const uint8_t *bytes = beginning;
  if (size >= 4 && memcmp(bytes, "\x1A\x45\xDF\xA3", 4) == 0) {
    return container_of_ebml(bytes, size);
  }
  if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 &&
      memcmp(bytes + 8, "AVI ", 4) == 0) {
    return "avi";
  }
  if (is_transport_stream(bytes, size, 0, 188) ||
      is_transport_stream(bytes, size, 4, 192)) {
    return "mpegts";
  }
  return container_of_box(bytes, size);
}

/* --- the whole ------------------------------------------------------------ */

/* What was seen of the boxes of a file. */
typedef struct seen {
  bool description, media, named;
} seen;

/* A MOV may turn out to be an MP4 that begins with room. */
static void note(seen *all, sv_video *video, const uint8_t *head,
                 size_t count) {
  const uint8_t *type = head + TYPE;
  all->description = all->description || is_one_of(type, "moovmoof");
  all->media = all->media || is_one_of(type, "mdat");
  if (!all->named && is_one_of(type, "ftypstypmoofsidx")) {
    all->named = true;
    video->container = container_of_box(head, count);
  }
}

static int walk(sv_video *video, int file, long long size,
                sv_video_read *read) {
  seen all = {false, false, false};
  long long at = 0, length = 1;
  int problem = 0;
  for (int boxes = 0; at < size && length > 0 && boxes < SV_VIDEO_BOXES;
       boxes++) {
    uint8_t head[LONG_HEAD];
    size_t count;
    problem = read(file, at, head, sizeof head, &count);
    if (problem) {
      return problem;
    }
    length = box_size(head, count, size - at);
    if (length > 0) {
      note(&all, video, head, count);
    }
    if (length > size - at) {
      video->state = "cut";
      return 0;
    }
    at += length;
  }
  video->state = !all.description || !all.media ? "cut"
                 : length == 0                  ? "trailed"
                                                : "whole";
  return 0;
}

int sv_video_look(sv_video *video, int file, long long size,
                  sv_video_read *read) {
  uint8_t beginning[SV_VIDEO_BEGINNING];
  size_t count;
  int problem = read(file, 0, beginning, sizeof beginning, &count);
  if (problem) {
    return problem;
  }
  video->container = sv_video_container(beginning, count);
  video->state = "whole";
  bool is_boxes = video->container && (strcmp(video->container, "mp4") == 0 ||
                                       strcmp(video->container, "mov") == 0);
  return is_boxes ? walk(video, file, size, read) : 0;
}
