#include "rules/checks.h"

#include <string.h>

#include "rules/media.h"

#include "rules/visibility.h"

/* --- frames, by their names and their old ones -------------------------- */

/* The old name of a frame, or of what is one. */
static sv_field old_name(sv_field frame) {
  return sv_field_renamed(frame) == SV_FIRST_IMAGE ? SV_OLD_FIRST_IMAGE
                                                   : SV_OLD_LAST_IMAGE;
}

/* The field that fills a frame: the new name where both are given. */
static sv_field filled_by(const sv_checked *r, sv_field frame) {
  sv_field old = old_name(frame);
  if (sv_is_given(r->fields[frame])) {
    return frame;
  }
  bool by_old = sv_is_given(r->fields[old]) && sv_takes(r->model, old);
  return by_old ? old : SV_FIELD_COUNT;
}

/* Where a model does not take the old names, one of them is a fault of its
** own; once that is corrected the pair is complete. */
static void check_pair(const sv_checked *r, sv_field field, sv_field other) {
  if (filled_by(r, other) == SV_FIELD_COUNT &&
      !sv_is_given(r->fields[old_name(other)])) {
    sv_report_add(r->report, SV_INCOMPLETE_PAIR, sv_field_name(field), sv_none,
                  sv_none, "needs %s beside it; give both frames or neither",
                  sv_field_name(other));
  }
}

static void check_mode(const sv_checked *r, sv_field field) {
  char list[SV_LIST_SIZE] = "";
  for (unsigned i = 0; i < SV_FIELD_COUNT; i++) {
    sv_field reference = (sv_field)i;
    if (sv_is_in(reference, SV_REFERENCE_FIELDS) &&
        sv_has_references(r, reference)) {
      sv_add_word(list, sv_field_name(reference));
    }
  }
  if (list[0] != '\0') {
    sv_report_add(r->report, SV_CONFLICT, sv_field_name(field), sv_none,
                  sv_none,
                  "cannot be combined with %s; give either the two frames or "
                  "references", list);
  }
}

static void check_alias(const sv_checked *r, sv_field old, sv_field frame) {
  const sv_value *old_url = sv_medium_url(r->fields[old]);
  const sv_value *url = sv_medium_url(r->fields[frame]);
  if (!old_url || !url) {
    return;
  }
  if (old_url->as.text.length == url->as.text.length &&
      memcmp(old_url->as.text.at, url->as.text.at, url->as.text.length) == 0) {
    return;
  }
  sv_report_add(r->report, SV_CONFLICT, sv_field_name(old), sv_none, sv_none,
                "is the old name of %s, and they differ; keep %s alone",
                sv_field_name(frame), sv_field_name(frame));
}

/* What concerns both frames is reported once, at the first field that fills
** one. */
void sv_check_frame(const sv_checked *r, sv_field field) {
  sv_field frame = sv_field_renamed(field), other = sv_field_partner(field);
  sv_field filled = filled_by(r, other);
  if (r->fields[field]->kind == SV_ABSENT) {
    return;
  }
  sv_medium_check(r->fields[field], sv_field_name(field), &r->model->images,
                  r->report);
  if (field != frame) {
    check_alias(r, field, frame);
  }
  if (filled_by(r, frame) != field) {
    return;
  }
  check_pair(r, field, other);
  if (filled >= field) {
    check_mode(r, field);
  }
}

void sv_check_old_frame(const sv_checked *r, sv_field field) {
  sv_check_frame(r, field);
}

/* --- references --------------------------------------------------------- */

void sv_check_media(const sv_checked *r, sv_field field) {
  if (r->fields[field]->kind != SV_ABSENT) {
    sv_media_check(r->fields[field], sv_field_name(field),
                   sv_limits(r->model, field),
                   sv_has_references(r, SV_VIDEOS), r->report);
  }
}
