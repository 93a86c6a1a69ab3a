// What the page asks the gateway for. An answer is JSON; a refusal is thrown.

export class Refusal extends Error {
  // `error` as in the gateway's answers: message, code, violations.
  constructor(status, error) {
    super(error?.message || `The gateway answered with status ${status}.`);
    this.status = status;
    this.code = error?.code;
    this.violations = listOf(error?.violations);
  }

  // Whether the gateway may have taken the request all the same.
  get isOpen() {
    return this.status === 0 || this.status >= 500;
  }
}

// An empty list may come as an empty object: Lua knows no difference.
export function listOf(value) {
  return Array.isArray(value) ? value : [];
}

const UNREACHABLE = 'The gateway does not answer. Is it running, and are you'
  + ' online?';

export async function ask(method, path, body, headers = {}) {
  let response, value;
  try {
    response = await fetch(path, {
      method,
      headers: body ? { 'Content-Type': 'application/json', ...headers } : headers,
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    value = text ? JSON.parse(text) : {};
  } catch {
    throw new Refusal(response && !response.ok ? response.status : 0,
      { message: UNREACHABLE });
  }
  if (response.status === 401) {
    document.dispatchEvent(new Event('signedout'));
  }
  if (!response.ok) {
    throw new Refusal(response.status, value?.error);
  }
  return value;
}

export function videoPath(id, more = '') {
  return `v1/videos/${encodeURIComponent(id)}${more}`;
}

// The newest `count` videos.
export async function newest(count) {
  const videos = [];
  let hasMore = true;
  while (hasMore && videos.length < count) {
    const query = new URLSearchParams({
      limit: Math.min(100, count - videos.length),
    });
    if (videos.length > 0) {
      query.set('after', videos.at(-1).id);
    }
    const page = await ask('GET', `v1/videos?${query}`);
    videos.push(...listOf(page.data));
    hasMore = page.has_more === true && listOf(page.data).length > 0;
  }
  return { videos, hasMore };
}
