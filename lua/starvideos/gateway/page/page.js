// The page: signed in or not, and what its parts tell each other.

import { ask, listOf, Refusal } from './api.js';
import { byId, say } from './dom.js';
import { begun } from './form.js';
import { clear } from './kept.js';
import { placed, start, stop } from './orders.js';

// After how many milliseconds a gateway that did not answer is asked again.
const AGAIN = 5000;

let isSignedIn = false;

function show(signedIn) {
  isSignedIn = signedIn;
  byId('sign-in').hidden = signedIn;
  byId('order').hidden = !signedIn;
  byId('orders').hidden = !signedIn;
  if (!signedIn) {
    byId('caller').hidden = true;
    byId('sign-out').hidden = true;
    byId('token').focus();
  }
}

async function readAccount() {
  const account = await ask('GET', 'v1/account');
  account.models = listOf(account.models);
  say(byId('caller'), account.has_session ? account.caller : '');
  byId('sign-out').hidden = !account.has_session;
  begun(account);
}

async function enter(hasJustSignedIn = false) {
  try {
    await readAccount();
    say(byId('notice'), '');
    show(true);
    if (hasJustSignedIn) {
      byId('prompt').focus();
    }
    await start();
  } catch (refusal) {
    if (!(refusal instanceof Refusal)) {
      throw refusal;
    } else if (refusal.status !== 401) {
      say(byId('notice'), refusal.message);
      setTimeout(enter, AGAIN);
    }
  }
}

byId('sign-in').addEventListener('submit', async (event) => {
  event.preventDefault();
  const token = byId('token');
  try {
    await ask('POST', 'v1/session', { token: token.value.trim() });
    token.value = '';
    say(byId('token-fault'), '');
    await enter(true);
  } catch (refusal) {
    say(byId('token-fault'), refusal.message);
    token.focus();
  }
});

// Whoever uses this browser next sees nothing of it.
byId('sign-out').addEventListener('click', async () => {
  try {
    await ask('DELETE', 'v1/session');
    clear();
    location.replace(location.pathname);
  } catch (refusal) {
    say(byId('notice'), refusal.message);
  }
});

document.addEventListener('signedout', () => {
  const wasSignedIn = isSignedIn;
  stop();
  show(false);
  if (wasSignedIn) {
    say(byId('token-fault'), 'Please sign in again; what you wrote is kept.');
  }
});
document.addEventListener('ordered', (event) => {
  placed(event.detail);
  readAccount().catch(() => {});
});
document.addEventListener('spent', () => readAccount().catch(() => {}));
document.addEventListener('reached', () => say(byId('notice'), ''));
document.addEventListener('unreached', (event) => {
  if (event.detail.status !== 401) {
    say(byId('notice'), event.detail.message);
  }
});

enter();
