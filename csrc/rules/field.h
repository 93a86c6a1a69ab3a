/*
** The fields of a request: the one table of them. The rest is drawn from it:
** the order of the faults, the limits in a model (model.h), the check of each
** field (checks.h; a kind without one does not compile), and core.fields() for
** Lua.
*/
#ifndef SV_RULES_FIELD_H
#define SV_RULES_FIELD_H

#include <stdbool.h>

#include "rules/value.h"

/* id, name, kind, member of sv_model with its limits */
#define SV_SCALARS(X) \
  X(PROMPT, "prompt", prompt, prompt) \
  X(DURATION, "duration", duration, duration) \
  X(RATIO, "ratio", choice, ratio) \
  X(RESOLUTION, "resolution", choice, resolution)

/* id, name, kind, the other frame; they come in a pair */
#define SV_FRAMES(X) \
  X(FIRST_IMAGE, "first_image", frame, LAST_IMAGE) \
  X(LAST_IMAGE, "last_image", frame, FIRST_IMAGE)

/* id, name, kind, the frame that it is an old name of */
#define SV_OLD_FRAMES(X) \
  X(OLD_FIRST_IMAGE, "image", old_frame, FIRST_IMAGE) \
  X(OLD_LAST_IMAGE, "lastFrameImage", old_frame, LAST_IMAGE)

/* As of SV_SCALARS; arrays. */
#define SV_REFERENCES(X) \
  X(IMAGES, "referenceImages", media, images) \
  X(VIDEOS, "referenceVideos", media, videos) \
  X(AUDIOS, "referenceAudios", media, audios)

/* All, in the order in which faults are reported. */
#define SV_FIELDS(X) \
  X(MODEL, "model", model, name) \
  SV_SCALARS(X) \
  SV_FRAMES(X) \
  SV_OLD_FRAMES(X) \
  SV_REFERENCES(X)

typedef enum sv_field {
#define X(id, name, kind, more) SV_##id,
  SV_FIELDS(X)
#undef X
  SV_FIELD_COUNT
} sv_field;

/* Sets of fields. */
#define SV_BIT(id) (1u << (id))
#define SV_ADD_BIT(id, name, kind, more) | SV_BIT(SV_##id)
#define SV_ALL_FIELDS (0u SV_FIELDS(SV_ADD_BIT))
#define SV_FRAME_FIELDS (0u SV_FRAMES(SV_ADD_BIT))
#define SV_OLD_FRAME_FIELDS (0u SV_OLD_FRAMES(SV_ADD_BIT))
#define SV_REFERENCE_FIELDS (0u SV_REFERENCES(SV_ADD_BIT))

static inline bool sv_is_in(sv_field field, unsigned fields) {
  return (fields >> field & 1) != 0;
}

const char *sv_field_name(sv_field field);
const char *sv_field_kind(sv_field field);

/* SV_FIELD_COUNT where there is none of that name. */
sv_field sv_field_find(const sv_value *name);

/* The frame that an old name stands for; any other field itself. */
sv_field sv_field_renamed(sv_field field);

/* The other frame of the pair, of a frame or of its old name. */
sv_field sv_field_partner(sv_field frame);

#endif
