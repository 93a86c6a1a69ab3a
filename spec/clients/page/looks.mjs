// How the page looks and sounds, to everybody who uses it.

import assert from 'node:assert/strict';
import { SCHEMES, WIDTHS } from './browser.mjs';

const CONTROLS = new Set(['button', 'link', 'textbox', 'combobox', 'radio',
  'spinbutton', 'progressbar', 'Video', 'dialog', 'form', 'group', 'radiogroup']);

// The controls of the accessibility tree as "role name".
async function controls({ page }) {
  const { nodes } = await (await page.createCDPSession())
    .send('Accessibility.getFullAXTree');
  return nodes.filter((node) => !node.ignored && CONTROLS.has(node.role?.value)
    && !isPartOfPlayer(node, nodes))
    .map((node) => `${node.role.value} ${node.name?.value ?? ''}`.trim());
}

// The browser's own buttons of a player have the browser's own names.
function isPartOfPlayer(node, nodes) {
  const parent = nodes.find((one) => one.nodeId === node.parentId);
  return parent !== undefined
    && (parent.role?.value === 'Video' || isPartOfPlayer(parent, nodes));
}

async function areNamed(visit, ...expected) {
  const found = await controls(visit);
  assert.deepEqual(found.filter((text) => !text.includes(' ')), []);
  for (const text of expected) {
    assert.ok(found.some((one) => one.startsWith(text)), `${text} is not among `
      + found.join(', '));
  }
}

// All controls have names, in all that the page can show.
export async function named(visit, { token }) {
  const { page } = visit;
  await visit.open();
  await visit.see('#sign-in');
  await areNamed(visit, 'textbox Token', 'button Sign in');
  await visit.signIn(token);
  await page.select('#model', 'videos');
  await visit.click('References', 'radio');
  await areNamed(visit, 'form Order a video', 'textbox Prompt', 'combobox Model',
    'spinbutton Duration', 'group Ratio', 'radio 21:9', 'group Made from',
    'textbox Reference images', 'textbox Reference audios',
    'button Order video', 'button Sign out');
  await visit.click('First and last image', 'radio');
  await areNamed(visit, 'textbox First image', 'textbox Last image');
  await visit.click('The prompt alone', 'radio');
  await visit.order('[scenario:takes=4] A kite');
  await visit.see('.video.selected progress');
  await areNamed(visit, 'progressbar Progress: [scenario:takes=4] A kite');
  await visit.see('.video.selected video');
  await areNamed(visit, 'Video Video: [scenario', 'link [scenario',
    'link Download', 'button Delete');
  await visit.click('Delete');
  await visit.see('#deletion');
  await areNamed(visit, 'dialog Delete this video?', 'button Keep it',
    'button Delete');
}

// Whether an element with the focus looks otherwise than without.
function showsFocus() {
  const element = document.activeElement;
  const shown = [element, element.nextElementSibling, element.closest('.video')];
  return shown.some((one) => one
    && getComputedStyle(one).outlineStyle !== 'none');
}

// The whole job by keys alone; what has the focus can be seen.
export async function keyed(visit, { token }) {
  const { page } = visit;
  const { keyboard } = page;
  const reach = async (id) => {
    for (let steps = 0; steps < 40; steps++) {
      await keyboard.press('Tab');
      if (await page.evaluate(() => document.activeElement !== document.body
        && document.activeElement.localName !== 'video')) {
        assert.ok(await page.evaluate(showsFocus), await page.evaluate(() =>
          `no focus at ${document.activeElement.outerHTML.slice(0, 100)}`));
      }
      if (await page.evaluate((wanted) =>
        document.activeElement.matches(wanted), id)) {
        return;
      }
    }
    assert.fail(`Tab does not reach ${id}`);
  };
  await visit.open();
  await visit.see('#sign-in');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token');
  await keyboard.type(token);
  await keyboard.press('Enter');
  await visit.see('#order');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'prompt');
  await keyboard.type('By keys');
  await reach('#model');
  await keyboard.type('videos');
  await reach('[name=ratio]');
  await keyboard.press('ArrowRight');
  await reach('#submit');
  await keyboard.press('Enter');
  await visit.see('.video.selected .tag', 'Completed');
  await reach('.video h3 a');
  await keyboard.press('Enter');
  await visit.unsee('.video.selected');
  await keyboard.press('Enter');
  await visit.see('.video.selected video');
  await reach('.detail .actions button:last-child');
  await keyboard.press('Enter');
  await visit.see('#deletion');
  await reach('#deletion [value=delete]');
  await keyboard.press('Enter');
  await visit.see('#empty');
}

// Texts whose colour is too close to what lies behind it, as WCAG counts it.
function faintTexts() {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [red, green, blue] = channels(colour).map((value) => {
      const part = value / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const ground = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (channels(colour)[3] !== 0) {
        return colour;
      }
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('body *')].filter((element) =>
    element.checkVisibility() && [...element.childNodes].some((node) =>
      node.nodeType === Node.TEXT_NODE && node.textContent.trim()))
    .map((element) => {
      const [one, other] = [light(getComputedStyle(element).color),
        light(ground(element))].sort((a, b) => b - a);
      return { text: element.textContent.trim().slice(0, 40),
        contrast: (one + 0.05) / (other + 0.05) };
    })
    .filter(({ contrast }) => contrast < 4.5);
}

// What can be clicked on and is smaller than a fingertip.
function smallTargets() {
  return [...document.querySelectorAll('button,.button,select,input,textarea')]
    .map((element) => element.type === 'radio' ? element.parentElement : element)
    .filter((element) => element.checkVisibility())
    .filter((element) => {
      const { width, height } = element.getBoundingClientRect();
      return width < 40 || height < 40;
    })
    .map((element) => element.textContent.trim());
}

async function isSound(visit, what) {
  const { page } = visit;
  assert.deepEqual(await page.evaluate(faintTexts), [], what);
  assert.deepEqual(await page.evaluate(smallTargets), [], what);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth
    <= document.documentElement.clientWidth), `${what} scrolls sideways`);
}

// Each part of the page in three widths, light and dark: a picture of it, and that
// all can be read and reached.
export async function drawn(visit, { token, pictures }) {
  const { page } = visit;
  const draw = async (name, fullPage = false) => {
    for (const width of WIDTHS) {
      for (const scheme of SCHEMES) {
        await page.setViewport({ width, height: width < 500 ? 740 : 900 });
        await page.emulateMediaFeatures([
          { name: 'prefers-color-scheme', value: scheme },
          { name: 'prefers-reduced-motion', value: 'reduce' }]);
        await isSound(visit, `${name} ${width} ${scheme}`);
        await page.screenshot({ fullPage,
          path: `${pictures}/${name}-${width}-${scheme}.png` });
      }
    }
  };
  await visit.open();
  await visit.see('#sign-in');
  await draw('1-sign-in');
  await visit.signIn(token);
  await visit.place({ prompt: 'A lighthouse in a storm, waves breaking over the'
    + ' gallery, seen from a boat that comes home late' });
  await visit.place({ prompt: '[scenario:failed] A marble statue' });
  await visit.place({ prompt: 'A cup of tea on a window sill'.repeat(12) });
  await visit.open('/?');
  await visit.see('.tag', 'Failed');
  await page.waitForFunction(() =>
    document.querySelectorAll('.tag.completed').length === 2);
  await visit.place({ prompt: '[scenario:never] Rain on a tin roof' });
  await visit.place({ prompt: '[scenario:never] A bee' });
  await visit.open('/?again');
  await visit.see('.tag', 'In progress');
  await page.click('.video:nth-child(3) h3 a');
  await page.waitForFunction(() =>
    document.querySelector('video')?.readyState >= 2);
  await visit.type('#prompt', 'A paper boat sails down a gutter at night');
  await visit.see('#price', 'USD');
  await draw('2-videos', true);
  await page.click('.video:nth-child(4) h3 a');
  await page.select('#model', 'videos_fast');
  await visit.click('References', 'radio');
  await visit.type('#referenceImages', 'a.png');
  await visit.type('#duration', '77');
  await visit.click('Order video');
  await visit.see('#duration-fault');
  await draw('3-faults', true);
  await visit.click('Delete');
  await visit.see('#deletion');
  await draw('4-deletion');
}
