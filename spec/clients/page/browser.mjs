// Chromium with a page of the gateway, watched: what its policy forbids, what it
// asks of other hosts, and what its scripts raise fails a scenario.

import assert from 'node:assert/strict';

const { default: puppeteer } = await import(process.argv[2]);

export const WIDTHS = [360, 768, 1280];
export const SCHEMES = ['light', 'dark'];

// How long a scenario waits for what it expects, in milliseconds.
const PATIENCE = 30000;

export class Visit {
  constructor(browser, page, url) {
    Object.assign(this, { browser, page, url, faults: [], requests: [] });
  }

  static async begin(url) {
    const browser = await puppeteer.launch({ executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-dev-shm-usage', '--lang=en-GB'] });
    const page = await browser.newPage();
    const visit = new Visit(browser, page, url);
    page.setDefaultTimeout(PATIENCE);
    await page.emulateTimezone('UTC');
    await page.setViewport({ width: 1280, height: 900 });
    await visit.watch();
    return visit;
  }

  async watch() {
    const { page, faults } = this;
    await page.exposeFunction('reportViolation', (text) => faults.push(text));
    await page.evaluateOnNewDocument(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        window.reportViolation(`the policy forbids ${event.violatedDirective} of `
          + (event.blockedURI || event.sourceFile));
      });
    });
    page.on('pageerror', (error) => faults.push(`raised: ${error.message}`));
    page.on('request', (request) => {
      const url = new URL(request.url());
      this.requests.push(`${request.method()} ${url.pathname}`);
      // The pictures on the browser's own player are data, which the policy
      // forbids to the page.
      if (url.protocol !== 'data:' && url.origin !== new URL(this.url).origin) {
        faults.push(`asked another host: ${url}`);
      }
    });
  }

  async end() {
    await this.browser.close();
    assert.deepEqual(this.faults, []);
  }

  async open(path = '/') {
    await this.page.goto(this.url + path);
  }

  async signIn(token) {
    await this.open();
    await this.type('#token', token);
    await this.page.keyboard.press('Enter');
    await this.see('#order');
  }

  // Waits until an element can be seen, or until it holds a text.
  async see(selector, text = '') {
    try {
      await this.page.waitForFunction((where, wanted) =>
        [...document.querySelectorAll(where)].some((element) =>
          element.checkVisibility() && element.textContent.includes(wanted)),
      { polling: 50 }, selector, text);
    } catch {
      assert.fail(`${selector} does not show "${text}", but: `
        + await this.page.$eval('body', (body) => body.innerText));
    }
  }

  async unsee(selector) {
    await this.page.waitForFunction((where) =>
      ![...document.querySelectorAll(where)].some((one) => one.checkVisibility()),
    { polling: 50 }, selector);
  }

  text(selector) {
    return this.page.$eval(selector, (element) => element.innerText);
  }

  value(selector) {
    return this.page.$eval(selector, (element) => element.value);
  }

  chosen(name) {
    return this.value(`[name="${name}"]:checked`);
  }

  texts(selector) {
    return this.page.$$eval(selector, (all) => all.map((one) => one.innerText));
  }

  async type(selector, text) {
    await this.page.waitForSelector(selector, { visible: true });
    await this.page.$eval(selector, (element) => {
      element.focus();
      element.select();
    });
    await this.page.keyboard.type(text);
  }

  // Clicks on what is called so, as a person would.
  async click(name, role = 'button') {
    await this.page.locator(`::-p-aria([name="${name}"][role="${role}"])`).click();
  }

  // What the page would get, with its cookie.
  fetch(path, options) {
    return this.page.evaluate(async (where, how) => {
      const response = await fetch(where, how);
      return { status: response.status, body: await response.json() };
    }, path, options);
  }

  async videos() {
    const { body } = await this.fetch('/v1/videos?limit=100');
    return Array.isArray(body.data) ? body.data : [];
  }

  // Orders without the page's form.
  place(fields) {
    return this.fetch('/v1/videos', { method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: 'videos', duration: 4, ...fields }) });
  }

  async order(prompt) {
    await this.type('#prompt', prompt);
    await this.click('Order video');
    await this.see('#order-status', 'Ordered.');
  }

  // Holds the answers to what is sent to a path, until `let` is called with what
  // becomes of the first: "continue", or "lose".
  async hold(pattern, stage = 'Response') {
    const session = await this.page.createCDPSession();
    let held;
    const first = new Promise((resolve) => { held = resolve; });
    session.on('Fetch.requestPaused', (event) => held(event));
    await session.send('Fetch.enable',
      { patterns: [{ urlPattern: pattern, requestStage: stage }] });
    return {
      first,
      lose: async () => {
        const { requestId } = await first;
        await session.send('Fetch.failRequest',
          { requestId, errorReason: 'ConnectionReset' });
        await session.send('Fetch.disable');
      },
      release: () => session.send('Fetch.disable'),
    };
  }
}
