/*
** What a file is, by its bytes: the container of a video, and whether all of it
** is there. No memory is allocated, and a hostile file is left after so many
** reads.
*/
#ifndef SV_RULES_VIDEO_H
#define SV_RULES_VIDEO_H

#include <stddef.h>

/* As many bytes of its beginning tell whether a file is a video. */
enum { SV_VIDEO_BEGINNING = 1024 };

/* A box of an MP4 costs one read; further ones are not looked at. */
enum { SV_VIDEO_BOXES = 65536 };

typedef struct sv_video {
  const char *container; /* mp4, mov, webm, matroska, mpegts or avi; NULL: none
                            that is known */
  const char *state; /* whole; cut; or trailed: whole, and bytes that belong to
                        no box follow. What is neither MP4 nor MOV is whole */
} sv_video;

/* The container, as far as these bytes tell it; NULL where they do not. */
const char *sv_video_container(const void *bytes, size_t size);

/* Reads at a position of a file: 0 or an errno; `count` is less than `room` at
** the end alone. */
typedef int sv_video_read(int file, long long position, void *bytes,
                          size_t room, size_t *count);

/* Looks at a file of so many bytes. 0, or the errno of a read. */
int sv_video_look(sv_video *video, int file, long long size,
                  sv_video_read *read);

#endif
