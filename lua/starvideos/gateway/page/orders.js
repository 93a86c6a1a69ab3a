// The list of videos: newest first, up to date, one of them open. Which one
// stands in the address, so that reload and Back keep it.

import { ask, newest, videoPath } from './api.js';
import { byId, say } from './dom.js';
import { repeat } from './form.js';
import { Item, titleOf } from './item.js';
import { follow, isFollowed } from './streams.js';
import { isOpen } from './text.js';

// How many videos a press of the button adds.
const PAGE = 20;

// How often the list is read again, in milliseconds: while an order is open
// that no stream tells of, while all have streams, and while none is open.
const OFTEN = 5000;
const SELDOM = 15000;
const IDLE = 60000;

const list = byId('list');
const items = new Map();

let wanted = PAGE;
let selected = null;
let turn = 0;
let isRunning = false;
let timer;

function videos() {
  return [...items.values()].map((item) => item.video);
}

function openIds() {
  const open = videos().filter(isOpen)
    .sort((a, b) => b.created_at - a.created_at).map((video) => video.id);
  return open.includes(selected)
    ? [selected, ...open.filter((id) => id !== selected)] : open;
}

function wait() {
  clearTimeout(timer);
  const open = openIds();
  follow(isRunning ? open : [], heard);
  if (isRunning && !document.hidden) {
    timer = setTimeout(load, open.length === 0 ? IDLE
      : open.every(isFollowed) ? SELDOM : OFTEN);
  }
}

// What has ended does not begin again: that was an older answer.
function put(video) {
  const item = items.get(video.id);
  if (!item) {
    const added = new Item(video, { select, remove, repeat });
    added.setSelected(video.id === selected);
    items.set(video.id, added);
  } else if (isOpen(item.video) || !isOpen(video)) {
    const hasEnded = isOpen(item.video) && !isOpen(video);
    item.update(video);
    if (hasEnded) {
      ended(video);
    }
  }
}

function ended(video) {
  say(byId('news'), video.status === 'completed'
    ? `Completed: ${titleOf(video)}` : `Failed: ${titleOf(video)}`);
  document.dispatchEvent(new Event('spent'));
}

// Puts the lines in order. A line that stands right is not touched, or its
// player would stop.
function arrange(order) {
  for (const [id, item] of items) {
    if (!order.includes(id)) {
      item.node.remove();
      items.delete(id);
    }
  }
  order.forEach((id, index) => {
    const { node } = items.get(id);
    if (list.children[index] !== node) {
      list.insertBefore(node, list.children[index] ?? null);
    }
  });
  byId('empty').hidden = order.length > 0;
}

// The selected video, where it is too old for the list; null where it is gone.
async function fetchSelected(found) {
  if (!selected || found.some((video) => video.id === selected)) {
    return null;
  }
  try {
    return await ask('GET', videoPath(selected));
  } catch (refusal) {
    if (refusal.status === 404) {
      mark(null);
      history.replaceState(null, '', location.pathname);
    }
    return null;
  }
}

async function load() {
  const mine = ++turn;
  clearTimeout(timer);
  try {
    const { videos: found, hasMore } = await newest(wanted);
    const older = await fetchSelected(found);
    if (mine !== turn || !isRunning) {
      return;
    }
    const all = older ? [...found, older] : found;
    all.forEach(put);
    arrange(all.map((video) => video.id));
    byId('more').hidden = !hasMore;
    document.dispatchEvent(new Event('reached'));
  } catch (refusal) {
    document.dispatchEvent(new CustomEvent('unreached', { detail: refusal }));
  }
  if (mine === turn) {
    wait();
  }
}

async function heard(id, name, data) {
  const item = items.get(id);
  if (!item) {
    return;
  }
  if (name === 'refused') {
    wait();
  } else if (name === 'progress') {
    const { status, progress } = JSON.parse(data);
    put({ ...item.video, status: status ?? 'in_progress',
      progress: progress ?? item.video.progress });
  } else {
    await refresh(id);
  }
}

async function refresh(id) {
  try {
    put(await ask('GET', videoPath(id)));
    wait();
  } catch {
    load();
  }
}

function mark(id) {
  selected = id;
  for (const item of items.values()) {
    const isSelected = item.video.id === id;
    if (item.isSelected !== isSelected) {
      item.setSelected(isSelected);
    }
  }
}

function select(id) {
  mark(id);
  history.pushState(null, '', id ? `#${id}` : location.pathname);
  wait();
}

// What the address says.
function follows() {
  mark(decodeURIComponent(location.hash.slice(1)) || null);
  if (selected && !items.has(selected)) {
    load();
  }
  wait();
}

function confirmed() {
  const dialog = byId('deletion');
  dialog.returnValue = 'keep';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close',
      () => resolve(dialog.returnValue === 'delete'), { once: true });
  });
}

async function remove(video) {
  if (!await confirmed()) {
    return;
  }
  try {
    await ask('DELETE', videoPath(video.id));
  } catch (refusal) {
    if (refusal.status !== 404) {
      document.dispatchEvent(new CustomEvent('unreached', { detail: refusal }));
      return;
    }
  }
  const next = items.get(video.id)?.node.nextElementSibling?.querySelector('a');
  mark(null);
  history.replaceState(null, '', location.pathname);
  arrange([...list.children].map((node) => node.id)
    .filter((id) => id !== video.id));
  (next ?? byId('orders-title')).focus();
  say(byId('news'), `Deleted: ${titleOf(video)}`);
  load();
}

// Shows an order that was just placed, opened.
export function placed(video) {
  turn++;
  put(video);
  arrange([video.id, ...[...list.children].map((node) => node.id)
    .filter((id) => id !== video.id)]);
  select(video.id);
  items.get(video.id).node.scrollIntoView({ block: 'nearest' });
  load();
}

export async function start() {
  isRunning = true;
  mark(decodeURIComponent(location.hash.slice(1)) || null);
  await load();
  items.get(selected)?.node.scrollIntoView({ block: 'nearest' });
}

// Whoever signs in next may be somebody else.
export function stop() {
  isRunning = false;
  turn++;
  wanted = PAGE;
  arrange([]);
  wait();
}

byId('more').addEventListener('click', async () => {
  const last = list.lastElementChild;
  wanted += PAGE;
  await load();
  last?.nextElementSibling?.querySelector('a').focus();
});
addEventListener('popstate', follows);
addEventListener('hashchange', follows);
document.addEventListener('visibilitychange', () => {
  if (isRunning && !document.hidden) {
    load();
  } else {
    wait();
  }
});
