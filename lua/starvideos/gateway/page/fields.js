// The catalog's limits in words, and a draft as the gateway takes it.

import { count } from './text.js';

export const media = ['referenceImages', 'referenceVideos', 'referenceAudios'];

const MEGABYTE = 1024 * 1024;

// The ways to make a video that a model has.
export function materials(model) {
  return [
    'text',
    ...(media.some((name) => model[name]) ? ['references'] : []),
    ...(model.frames ? ['frames'] : []),
  ];
}

function range(least, most, unit) {
  return least && most ? `${least} to ${most} ${unit}`
    : most ? `at most ${most} ${unit}` : `at least ${least} ${unit}`;
}

// What a list of references may hold, in a sentence.
export function mediaHint(limits) {
  const parts = ['One URL a line'];
  if (limits.max) {
    parts.push(`up to ${limits.max}`);
  }
  if (limits.max_with_video && limits.max_with_video < limits.max) {
    parts.push(`${limits.max_with_video} beside a video`);
  }
  if (limits.min_duration || limits.max_duration) {
    parts.push(range(limits.min_duration, limits.max_duration, 's each'));
  }
  if (limits.min_pixels || limits.max_pixels) {
    parts.push(range(limits.min_pixels, limits.max_pixels, 'pixels a side'));
  }
  if (limits.max_bytes) {
    parts.push(`each ${limits.below ? 'below' : 'at most'} `
      + `${count(limits.max_bytes / MEGABYTE)} MB`);
  }
  const together = [
    limits.total_duration && `${limits.total_duration} s`,
    limits.total_bytes && `${count(limits.total_bytes / MEGABYTE)} MB`,
  ].filter(Boolean);
  if (together.length > 0) {
    parts.push(`together at most ${together.join(' and ')}`);
  }
  return `${parts.join(', ')}.`;
}

export function durationHint(limits) {
  const parts = [];
  if (limits.min || limits.max) {
    parts.push(range(limits.min, limits.max, 's'));
  }
  if (limits.advised?.length > 0) {
    parts.push(`best ${limits.advised.join(' or ')}`);
  }
  if (!limits.required) {
    parts.push(limits.default ? `${limits.default} if left empty`
      : 'may be left empty');
  }
  return `${parts.join(', ')}.`.replace(/^./, (letter) => letter.toUpperCase());
}

function lines(text) {
  return (text ?? '').split('\n').map((line) => line.trim()).filter(Boolean);
}

// Whether a reference video of the draft sets the length and the ratio.
export function setsOutput(draft, model) {
  return draft.material === 'references'
    && model.referenceVideos?.sets_output === true
    && lines(draft.referenceVideos).length > 0;
}

function references(draft, model) {
  const fields = {};
  for (const name of media) {
    const list = lines(draft[name]);
    if (model[name] && list.length > 0) {
      fields[name] = list;
    }
  }
  const seconds = Number(draft.referenceSeconds);
  if (setsOutput(draft, model) && seconds > 0) {
    fields.referenceVideos[0] = { url: fields.referenceVideos[0],
      duration: seconds };
  }
  return fields;
}

// What is filled in and shown, under the provider's names.
export function fieldsOf(draft, model) {
  const fields = { model: model.name, prompt: draft.prompt };
  if (!setsOutput(draft, model)) {
    if (model.duration && draft.duration !== '') {
      fields.duration = Number(draft.duration);
    }
    if (model.ratio && draft.ratio) {
      fields.ratio = draft.ratio;
    }
  }
  if (model.resolution && draft.resolution) {
    fields.resolution = draft.resolution;
  }
  if (draft.material === 'references') {
    Object.assign(fields, references(draft, model));
  } else if (draft.material === 'frames') {
    for (const name of ['first_image', 'last_image']) {
      const url = draft[name].trim();
      if (url) {
        fields[name] = url;
      }
    }
  }
  return fields;
}
