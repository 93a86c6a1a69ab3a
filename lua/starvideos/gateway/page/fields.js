// The catalog's limits in words, and a draft as the gateway takes it.

import { count } from './text.js';

// The names of the fields of a kind, of the rows of the account.
export function namesOf(fields, kind) {
  return fields.filter((field) => field.kind === kind)
    .map((field) => field.name);
}

const MEGABYTE = 1024 * 1024;

// The ways to make a video that a model has.
export function materials(model, fields) {
  return [
    'text',
    ...(namesOf(fields, 'media').some((name) => model[name]) ? ['references'] : []),
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
    parts.push('the shorter side of each '
      + range(limits.min_pixels, limits.max_pixels, 'pixels'));
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

function references(draft, model, fields) {
  const lists = {};
  for (const name of namesOf(fields, 'media')) {
    const list = lines(draft[name]);
    if (model[name] && list.length > 0) {
      lists[name] = list;
    }
  }
  const seconds = Number(draft.referenceSeconds);
  if (setsOutput(draft, model) && seconds > 0) {
    lists.referenceVideos[0] = { url: lists.referenceVideos[0],
      duration: seconds };
  }
  return lists;
}

// A reference video that sets the output sets these two.
const SET = ['duration', 'ratio'];

// What is filled in and shown, under the provider's names.
export function fieldsOf(draft, model, fields) {
  const params = { model: model.name, prompt: draft.prompt };
  const isSet = setsOutput(draft, model);
  for (const { name, kind } of fields) {
    const isShown = model[name] && !(isSet && SET.includes(name));
    if (kind === 'duration' && isShown && draft[name] !== '') {
      params[name] = Number(draft[name]);
    } else if (kind === 'choice' && isShown && draft[name]) {
      params[name] = draft[name];
    } else if (kind === 'frame' && draft.material === 'frames'
      && draft[name].trim()) {
      params[name] = draft[name].trim();
    }
  }
  if (draft.material === 'references') {
    Object.assign(params, references(draft, model, fields));
  }
  return params;
}
