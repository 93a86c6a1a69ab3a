// One video of the list: a line that opens, and below it the prompt, the player
// or the error, and what can be done.

import { videoPath } from './api.js';
import { make, say } from './dom.js';
import { excerpt, isOpen, length, moment, states } from './text.js';

// How much of a prompt stands in the list, in characters, and how much of that
// is sure to be seen.
const LENGTH = 140;
const SEEN = 60;

export function titleOf(video) {
  return excerpt(video.prompt || video.id, LENGTH);
}

function factsOf(video) {
  return [video.model, video.seconds && `${video.seconds} s`,
    video.size?.replace('x', ' × '), moment(video.created_at)]
    .filter(Boolean).join(' · ');
}

function errorOf(video) {
  return video.status === 'failed'
    ? video.error?.message || 'It failed; the provider gave no reason.' : '';
}

export class Item {
  // `actions`: select, remove, repeat, each called with the video.
  constructor(video, actions) {
    this.actions = actions;
    this.isSelected = false;
    this.build(video.id);
    this.update(video);
  }

  build(id) {
    this.link = make('a', { href: `#${id}`, 'aria-controls': `${id}-detail` });
    this.link.addEventListener('click', (event) => this.clicked(event));
    this.tag = make('span', {});
    this.facts = make('p', { className: 'facts' });
    this.progress = make('progress', { max: 100 });
    this.percent = make('span', { className: 'percent' });
    this.row = make('div', { className: 'progress' }, this.progress,
      this.percent);
    this.detail = make('div', { id: `${id}-detail`, className: 'detail' });
    this.node = make('li', { id, className: 'video' },
      make('div', { className: 'line' }, make('h3', { dir: 'auto' }, this.link),
        this.tag),
      this.facts, this.row, this.detail);
  }

  // A click with a key held opens a tab, as everywhere.
  clicked(event) {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      this.actions.select(this.isSelected ? null : this.video.id);
    }
  }

  update(video) {
    this.video = video;
    const state = states[video.status] ?? { name: video.status, mark: '·' };
    say(this.link, titleOf(video));
    this.tag.className = `tag ${video.status}`;
    this.tag.replaceChildren(
      make('span', { 'aria-hidden': 'true' }, state.mark), ` ${state.name}`);
    say(this.facts, factsOf(video));
    this.row.hidden = video.status !== 'in_progress';
    this.progress.setAttribute('aria-label', `Progress: ${titleOf(video)}`);
    this.showProgress(Math.round(video.progress ?? 0));
    this.showDetail();
  }

  // Not every provider tells how far it is: without a value the bar only moves.
  showProgress(percent) {
    if (percent > 0) {
      this.progress.value = percent;
    } else {
      this.progress.removeAttribute('value');
    }
    say(this.percent, percent > 0 ? `${percent} %` : '');
  }

  setSelected(isSelected) {
    this.isSelected = isSelected;
    this.showDetail();
  }

  // Rebuilt only when it would look different: a player that is running goes on.
  showDetail() {
    const look = this.isSelected && `${this.video.status} ${errorOf(this.video)}`;
    this.link.setAttribute('aria-expanded', this.isSelected);
    this.node.classList.toggle('selected', this.isSelected);
    this.detail.hidden = !this.isSelected;
    if (look !== this.look) {
      this.look = look;
      this.detail.replaceChildren(...look ? this.contents() : []);
    }
  }

  contents() {
    const { video } = this;
    const error = errorOf(video);
    const prompt = video.prompt ?? '';
    return [
      length(prompt) > SEEN
        && make('p', { className: 'prompt', dir: 'auto' }, prompt),
      error && make('p', { className: 'fault' }, error),
      video.status === 'queued'
        && make('p', { className: 'hint' }, 'It waits for its turn.'),
      video.status === 'completed' && this.player(),
      video.status === 'completed' && video.expires_at && make('p',
        { className: 'hint' }, `Kept until ${moment(video.expires_at)}.`),
      this.buttons(),
    ].filter(Boolean);
  }

  player() {
    const { video } = this;
    const fault = make('p', { className: 'fault', hidden: true, role: 'alert' });
    const player = make('video', { controls: true, preload: 'metadata',
      playsInline: true, src: videoPath(video.id, '/content'),
      'aria-label': `Video: ${titleOf(video)}` });
    player.addEventListener('error', async () => {
      player.hidden = true;
      say(fault, await reasonOf(player.src));
    });
    return make('div', { className: 'player' }, player, fault);
  }

  buttons() {
    const { video, actions } = this;
    const row = make('div', { className: 'actions' });
    if (video.status === 'completed') {
      row.append(make('a', { className: 'button', download: `${video.id}.mp4`,
        href: videoPath(video.id, '/content') }, 'Download'));
    }
    row.append(make('button', { type: 'button', className: 'quiet',
      onclick: () => actions.repeat(this.video) }, 'Use prompt again'));
    if (!isOpen(video)) {
      row.append(make('button', { type: 'button', className: 'quiet',
        onclick: () => actions.remove(this.video) }, 'Delete'));
    }
    return row;
  }
}

// Why a file does not play: a video element does not tell.
async function reasonOf(url) {
  try {
    const response = await fetch(url, { headers: { Range: 'bytes=0-0' } });
    const answer = response.ok ? null : await response.json();
    return answer?.error?.message ?? 'This browser cannot play the file; it can'
      + ' be downloaded.';
  } catch {
    return 'The gateway does not answer. Reload the page to play the video.';
  }
}
