// What survives a reload and Back, and ends with the tab. A browser that keeps
// nothing loses only that.

export function read(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}

export function write(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Full, or forbidden.
  }
}

export function clear() {
  try {
    sessionStorage.clear();
  } catch {
    // Forbidden.
  }
}
