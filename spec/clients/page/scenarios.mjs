// What people do on the page, each a function of a visit and what the spec gives:
// tokens, and where to put pictures.

import assert from 'node:assert/strict';

// From the token to the video, and its end.
export async function whole(visit, { token }) {
  const { page } = visit;
  await visit.open();
  await visit.type('#token', 'wrong');
  await visit.click('Sign in');
  await visit.see('#token-fault', 'token');
  await visit.type('#token', token);
  await visit.click('Sign in');
  await visit.see('#caller', 'whole');
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.ok(!page.url().includes(token));

  await page.select('#model', 'videos');
  await visit.type('#prompt', 'A kite 🪁 over the dunes');
  assert.equal(await visit.text('#prompt-count'), '23 characters');
  await visit.type('#duration', '5');
  await visit.click('1:1', 'radio');
  await visit.see('#price', '0.50 USD');
  await visit.see('#left', '10.00 of 10.00 USD');
  await visit.click('Order video');
  await visit.see('.video.selected .tag', 'In progress');
  await visit.see('#left', '9.50 of 10.00 USD');
  await visit.see('.video.selected progress');
  await visit.see('.video.selected .tag', 'Completed');
  await visit.see('#news', 'Completed: A kite');
  assert.equal(await visit.value('#prompt'), '');
  assert.match(await visit.text('.video.selected .facts'), /^videos · 5 s · 720/);

  await plays(visit);
  await isSaved(visit);
  await stays(visit);
  await goes(visit);

  await visit.click('Sign out');
  await visit.see('#sign-in');
  assert.equal((await visit.fetch('/v1/account')).status, 401);
}

async function plays({ page }) {
  await page.waitForFunction(() =>
    document.querySelector('video')?.readyState >= 2);
  await page.$eval('video', async (video) => {
    video.muted = true;
    await video.play();
  });
  await page.waitForFunction(() =>
    document.querySelector('video').currentTime > 0.1);
  await page.$eval('video', (video) => video.pause());
}

async function isSaved(visit) {
  const { page } = visit;
  const file = await page.$eval('a.button', async (link) => {
    const bytes = await (await fetch(link.href)).arrayBuffer();
    return { name: link.download, kind: new TextDecoder().decode(
      bytes.slice(4, 8)) };
  });
  assert.match(file.name, /^video_[0-9a-f]{32}\.mp4$/);
  assert.equal(file.kind, 'ftyp');
}

// Reload and Back keep what is open, and what is written.
async function stays(visit) {
  const { page } = visit;
  const address = page.url();
  assert.match(address, /#video_[0-9a-f]{32}$/);
  await visit.type('#prompt', 'The next one');
  await page.select('#model', 'videos_fast');
  await page.reload();
  await visit.see('.video.selected video');
  assert.equal(await visit.value('#prompt'), 'The next one');
  assert.equal(await visit.value('#model'), 'videos_fast');
  await page.click('.video.selected h3 a');
  await visit.unsee('.video.selected');
  assert.equal(page.url(), visit.url + '/');
  await page.goBack();
  await visit.see('.video.selected video');
  assert.equal(page.url(), address);
}

async function goes(visit) {
  await visit.click('Delete');
  await visit.see('#deletion', 'Delete this video?');
  await visit.page.keyboard.press('Escape');
  await visit.unsee('#deletion');
  assert.equal((await visit.videos()).length, 1);
  await visit.click('Delete');
  await visit.see('#deletion');
  await visit.page.click('#deletion [value=delete]');
  await visit.see('#empty');
  await visit.see('#news', 'Deleted: A kite');
  assert.deepEqual(await visit.videos(), []);
  assert.equal(visit.page.url(), visit.url + '/');
}

// Each model's own fields and limits, and what is wrong where it is wrong.
export async function limits(visit, { token }) {
  const { page } = visit;
  await visit.signIn(token);
  await page.select('#model', 'starvideos_o3');
  await visit.see('#duration-hint', '3 to 15 s, 3 if left empty.');
  await visit.unsee('#resolution-choices');
  assert.equal(await visit.chosen('ratio'), '9:16');
  await page.select('#model', 'videos');
  assert.equal(await visit.chosen('ratio'), '16:9');
  await visit.click('1:1', 'radio');
  await page.select('#model', 'starvideos_o3');
  assert.equal(await visit.chosen('ratio'), '1:1');
  await visit.click('References', 'radio');
  await visit.see('#referenceImages-hint', 'up to 7, 4 beside a video');
  await visit.unsee('#referenceAudios');
  await visit.type('#referenceVideos', 'https://a.example/b.mp4');
  await visit.see('#output-hint');
  await visit.unsee('#duration');
  await visit.type('#referenceSeconds', '4');

  await page.select('#model', 'videos_fast');
  await visit.see('#duration');
  await visit.see('#referenceImages-hint', 'each below 20 MB');
  await visit.type('#duration', '99');
  await visit.type('#prompt', '');
  await page.$eval('#prompt', (prompt) => {
    prompt.value = '🪁'.repeat(1501);
    prompt.dispatchEvent(new Event('input', { bubbles: true }));
  });
  await visit.see('#prompt-count', '1,501 of 1,500 characters: 1 too many');
  // It moves what stands below, also under a pointer.
  await visit.see('#duration-fault', 'from 4 to 15');
  await visit.click('First and last image', 'radio');
  await visit.type('#first_image', 'https://a.example/1.png');
  await visit.click('Order video');
  await visit.see('#duration-fault', 'Duration must be a whole number of seconds'
    + ' from 4 to 15');
  await visit.see('#prompt-fault', '1500');
  await visit.see('#first_image-fault', 'First image needs last image');
  assert.equal(await page.$eval('#duration', (field) =>
    field.getAttribute('aria-invalid')), 'true');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'prompt');
  assert.deepEqual(await visit.videos(), []);

  await visit.type('#duration', '4');
  await visit.unsee('#duration-fault');
  await visit.type('#duration', '');
  await visit.page.keyboard.press('Backspace');
  await visit.see('#duration-fault', 'Duration is required');
}

export async function failed(visit, { token }) {
  await visit.signIn(token);
  await visit.order('[scenario:failed] Rain');
  await visit.see('.video.selected .tag', 'Failed');
  assert.ok((await visit.text('.video.selected .detail .fault')).length > 10);
  await visit.click('Use prompt again');
  assert.equal(await visit.value('#prompt'), '[scenario:failed] Rain');
}

// How far an order is, where the provider tells; and a file that is gone.
export async function told(visit, { token }) {
  await visit.signIn(token);
  await visit.order('[scenario:result_progress] Rain');
  await visit.see('.video.selected .percent', '%');
  assert.ok(await visit.page.$eval('progress', (bar) => bar.value > 0
    && bar.value < 100));
  const session = await visit.page.createCDPSession();
  session.on('Fetch.requestPaused', ({ requestId }) => session.send(
    'Fetch.fulfillRequest', { requestId, responseCode: 410,
      responseHeaders: [{ name: 'Content-Type', value: 'application/json' }],
      body: btoa('{"error":{"message":"the video was removed"}}') }));
  await session.send('Fetch.enable', { patterns: [{ urlPattern: '*/content' }] });
  await visit.see('.video.selected .tag', 'Completed');
  await visit.see('.player .fault', 'the video was removed');
  await visit.unsee('.player video');
}

export async function doubled(visit, { token }) {
  await visit.signIn(token);
  await visit.type('#prompt', 'Once');
  // The last click comes within the time of a double click, however slow this is.
  await visit.page.evaluate(() => {
    const now = performance.now();
    performance.now = () => now;
  });
  const held = await visit.hold('*/v1/videos');
  await visit.page.click('#submit', { count: 2 });
  await held.first;
  await visit.page.click('#submit');
  await held.release();
  await visit.see('#order-status', 'Ordered.');
  await visit.page.click('#submit');
  assert.equal((await visit.videos()).length, 1);
  assert.equal(visit.requests.filter((one) => one === 'POST /v1/videos').length,
    1);
}

// A reload while the order is on its way, and a connection lost after it arrived.
export async function interrupted(visit, { token }) {
  await visit.signIn(token);
  await visit.type('#prompt', 'Reloaded');
  const held = await visit.hold('*/v1/videos');
  await visit.page.click('#submit');
  await held.first;
  await visit.page.reload();
  await visit.see('#order-status', 'Sending');
  await held.release();
  await visit.see('#order-status', 'Ordered.');
  await visit.see('.video.selected', 'Reloaded');
  assert.equal((await visit.videos()).length, 1);

  await visit.type('#prompt', 'Lost');
  const second = await visit.hold('*/v1/videos');
  await visit.page.evaluate(() =>
    new Promise((resolve) => { setTimeout(resolve, 1000); }));
  await visit.page.click('#submit');
  await second.lose();
  await visit.see('#order-fault', 'the order is bought once');
  // The price that is asked for when another video ends says nothing of it.
  const priced = visit.page.waitForResponse((response) =>
    response.url().endsWith('/v1/price'));
  await visit.page.evaluate(() =>
    document.dispatchEvent(new Event('spent')));
  await priced;
  await visit.videos(); // By then the page has read the price.
  assert.match(await visit.page.$eval('#order-fault', (fault) => fault.innerText),
    /the order is bought once/);
  await visit.page.click('#submit');
  await visit.see('#order-status', 'Ordered.');
  assert.equal((await visit.videos()).length, 2);

  // A further one that is meant is a further one.
  await visit.page.evaluate(() =>
    new Promise((resolve) => { setTimeout(resolve, 1000); }));
  await visit.order('Lost');
  assert.equal((await visit.videos()).length, 3);
}

// Without streams the list itself is read again.
export async function streamless(visit, { token }) {
  await visit.signIn(token);
  const session = await visit.page.createCDPSession();
  session.on('Fetch.requestPaused', ({ requestId }) => session.send(
    'Fetch.fulfillRequest', { requestId, responseCode: 429 }));
  await session.send('Fetch.enable', { patterns: [{ urlPattern: '*/events' }] });
  await visit.order('Looked at');
  await visit.see('.video.selected .tag', 'Completed');
}

export async function older(visit, { token }) {
  await visit.signIn(token);
  for (let index = 1; index <= 23; index++) {
    assert.equal((await visit.place({ prompt: `Number ${index}` })).status, 200);
  }
  await visit.open('/');
  await visit.see('#list', 'Number 23');
  assert.equal((await visit.texts('.video h3')).length, 20);
  await visit.click('Show older ones');
  await visit.unsee('#more');
  assert.deepEqual(await visit.texts('.video h3'), Array.from({ length: 23 },
    (_, index) => `Number ${23 - index}`));
  assert.equal(await visit.page.evaluate(() => document.activeElement.innerText),
    'Number 3');

  // One that is older than the first page opens by its address.
  const last = (await visit.videos()).at(-1);
  await visit.open('/?#' + last.id);
  await visit.see('.video.selected', 'Number 1');
  await visit.open(`/?again#video_${'0'.repeat(32)}`);
  await visit.see('#list', 'Number 23');
  assert.equal(new URL(visit.page.url()).hash, '');
}

// A limit, and a session that has ended: said in a sentence, nothing is lost.
export async function refused(visit, { token }) {
  await visit.signIn(token);
  await visit.type('#duration', '15');
  await visit.type('#prompt', 'Too dear');
  await visit.see('#left', 'too little');
  await visit.click('Order video');
  await visit.see('#order-fault', 'nothing was ordered');
  await visit.page.deleteCookie(...await visit.page.cookies());
  await visit.click('Order video');
  await visit.see('#token-fault', 'Please sign in again');
  await visit.type('#token', token);
  await visit.click('Sign in');
  await visit.see('#order');
  assert.equal(await visit.value('#prompt'), 'Too dear');
  assert.deepEqual(await visit.videos(), []);
}

export async function local(visit) {
  await visit.open();
  await visit.see('#order');
  await visit.unsee('#sign-in');
  await visit.unsee('#sign-out');
  await visit.page.select('#model', 'videos');
  await visit.order('Without a token');
  await visit.see('.video.selected .tag', 'Completed');
}

// Streams leave connections for everything else, however many orders are open.
export async function crowded(visit, { token }) {
  await visit.signIn(token);
  for (let index = 1; index <= 8; index++) {
    await visit.place({ prompt: `[scenario:never] Number ${index}` });
  }
  await visit.open('/?');
  await visit.see('#list', 'Number 1');
  await visit.page.waitForFunction(() =>
    document.querySelectorAll('.tag.in_progress').length === 8);
  const streams = new Set(visit.requests.filter((one) => one.endsWith('/events')));
  assert.equal(streams.size, 2);
  await visit.order('One more');
  await visit.see('.video.selected .tag', 'Completed');
}

// A link on another site's page, and the session that it meets there.
export async function linked(visit, { token }) {
  await visit.signIn(token);
  const { page } = visit;
  await page.goto('about:blank');
  await page.evaluate((url) => {
    const link = document.createElement('a');
    link.href = url;
    link.textContent = 'videos';
    document.body.append(link);
  }, visit.url);
  await page.click('a');
  await visit.see('#order');
}

// Another caller who signs in after a session has ended sees nothing of the first.
export async function successive(visit, { token, others }) {
  await visit.signIn(token);
  await visit.order('Mine alone');
  await visit.type('#prompt', 'My next one');
  await visit.page.deleteCookie(...await visit.page.cookies());
  // The page may have asked for something else, and be signed out already.
  await visit.page.$eval('#submit', (button) => {
    if (button.checkVisibility()) {
      button.click();
    }
  });
  await visit.see('#sign-in');
  assert.ok(!(await visit.page.content()).includes('Mine alone'));
  await visit.type('#token', others);
  await visit.click('Sign in');
  await visit.see('#empty');
  assert.equal(await visit.value('#prompt'), '');
}

// That what fails every scenario is seen at all.
export async function watched(visit) {
  await visit.open();
  await visit.page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    const image = new Image();
    image.src = 'http://127.0.0.2:9/foreign.png';
    document.body.append(script, image);
  });
  await visit.page.waitForFunction(() => true);
  await new Promise((resolve) => { setTimeout(resolve, 200); });
  assert.equal(await visit.page.evaluate(() => window.ran), undefined);
  assert.deepEqual(visit.faults.splice(0).sort(), [
    'asked another host: http://127.0.0.2:9/foreign.png',
    'the policy forbids img-src of http://127.0.0.2:9/foreign.png',
    'the policy forbids script-src-elem of inline']);
}
