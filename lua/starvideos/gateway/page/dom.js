export function byId(id) {
  return document.getElementById(id);
}

// An element with its properties, attributes where no property is so called,
// and children. What is false or missing is left out.
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) {
      element[name] = value;
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter(Boolean));
  return element;
}

// Sets a text only where it differs, for what is read aloud, and hides an
// element that says nothing.
export function say(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
  element.hidden = text === '' && element.getAttribute('role') !== 'status';
}
