// Streams of events for a few open orders. A browser has six connections for a
// host over HTTP/1.1, all its tabs together: so few streams, and none in a tab
// that nobody sees.

import { videoPath } from './api.js';

const MOST = 2;

const streams = new Map();
const refused = new Set();

function open(id, onEvent) {
  const source = new EventSource(videoPath(id, '/events'));
  for (const name of ['progress', 'completed', 'failed']) {
    source.addEventListener(name, (event) => onEvent(id, name, event.data));
  }
  // A stream that just ended is opened again by the browser itself, which sends
  // Last-Event-ID; one that the gateway refuses is not.
  source.addEventListener('error', () => {
    if (source.readyState === EventSource.CLOSED) {
      refused.add(id);
      close(id);
      onEvent(id, 'refused');
    }
  });
  streams.set(id, source);
}

function close(id) {
  streams.get(id).close();
  streams.delete(id);
}

// Listens to the first of these orders, and to no other. `onEvent` gets an order,
// what happened (an event's name, or "refused": there is no stream) and its data.
export function follow(ids, onEvent) {
  const wanted = document.hidden ? []
    : ids.filter((id) => !refused.has(id)).slice(0, MOST);
  for (const id of [...streams.keys()]) {
    if (!wanted.includes(id)) {
      close(id);
    }
  }
  for (const id of wanted) {
    if (!streams.has(id)) {
      open(id, onEvent);
    }
  }
}

export function isFollowed(id) {
  return streams.has(id);
}
