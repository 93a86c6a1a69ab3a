// One press of the button is one order. Its key is kept until the gateway has
// answered for certain: a second click, a try after a lost connection and a
// reload send the same key, for which the gateway has the same order.

import { read, write } from './kept.js';

const NAME = 'submission';

// After this many milliseconds a reload no longer sends what was on its way:
// whoever comes back later looks at the list first.
const RESUMABLE = 120000;

// Not randomUUID, which browsers have over HTTPS and on localhost alone.
function randomKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes,
    (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

export function begin(fields, caller) {
  const last = read(NAME);
  if (last?.caller === caller
    && JSON.stringify(last.fields) === JSON.stringify(fields)) {
    return last;
  }
  const submission = { key: randomKey(), fields, caller, at: Date.now() };
  write(NAME, submission);
  return submission;
}

export function end() {
  write(NAME, null);
}

// It may have arrived: the key stays, for who presses the button again. Only what
// had no answer at all is sent by a reload.
export function keep(isResumable) {
  write(NAME, { ...read(NAME), at: isResumable ? Date.now() : 0 });
}

// What a reload interrupted, where the form still says the same.
export function interrupted(fields, caller) {
  const last = read(NAME);
  const age = Date.now() - last?.at;
  return last?.caller === caller && age >= 0 && age < RESUMABLE
    && JSON.stringify(last.fields) === JSON.stringify(fields) ? last : null;
}
