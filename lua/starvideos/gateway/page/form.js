// The form of an order: the fields that its model takes, their limits and
// faults, the price, and the way of an order to the gateway.

import { ask, listOf } from './api.js';
import { byId, make, say } from './dom.js';
import { durationHint, fieldsOf, materials, mediaHint, namesOf, setsOutput }
  from './fields.js';
import { read, write } from './kept.js';
import { begin, end, interrupted, keep } from './submission.js';
import { count, length, money } from './text.js';

const form = byId('order');

// The name under which the form is kept.
const DRAFT = 'draft';

// How long the form waits for the next key before it asks for the price, and
// after an order for the rest of a double click; in milliseconds.
const PAUSE = 400;
const DOUBLE_CLICK = 1000;

let account;
let touched = new Set();
let wasSubmitted = false;
let isSending = false;
let quietUntil = 0;

// What was said of an order that was refused or lost, until something changes.
let refusedOrder = '';

let timer, asked = 0;

function draftOf() {
  return Object.fromEntries(new FormData(form));
}

function modelOf(draft) {
  return account.models.find((model) => model.name === draft.model)
    ?? account.models[0];
}

function currentFields() {
  const draft = draftOf();
  return fieldsOf(draft, modelOf(draft), account.fields);
}

function fieldOf(name) {
  return form.querySelector(`[data-field="${CSS.escape(name)}"]`);
}

function showField(name, isShown) {
  fieldOf(name).hidden = !isShown;
}

// Choices to click on. What was chosen stays where the model has it; what was only
// the default of another model does not.
function showChoices(name, limits) {
  showField(name, limits !== undefined);
  const values = limits?.values ?? [];
  const place = byId(`${name}-choices`);
  const inputs = [...place.querySelectorAll('input')];
  if (inputs.map((input) => input.value).join() === values.join()) {
    return;
  }
  const before = inputs.length === 0 ? read(DRAFT)?.[name]
    : inputs.find((input) => input.checked)?.value;
  const isChosen = values.includes(before) && before !== place.dataset.standard;
  const standard = limits?.default ?? values[0] ?? '';
  const chosen = isChosen ? before : standard;
  place.dataset.standard = standard;
  place.replaceChildren(...values.map((value) => make('label',
    { className: 'chip' },
    make('input', { type: 'radio', name, value, checked: value === chosen }),
    make('span', {}, value))));
}

function showDuration(name, limits) {
  showField(name, limits !== undefined);
  if (limits) {
    const input = byId(name);
    input.min = limits.min ?? '';
    input.max = limits.max ?? '';
    input.required = limits.required === true;
    if (limits.required && input.value === '' && !touched.has(name)) {
      input.value = limits.min ?? '';
    }
    say(byId(`${name}-hint`), durationHint(limits));
  }
}

function showMaterial(draft, model) {
  const ways = materials(model, account.fields);
  byId('made-from').hidden = ways.length < 2;
  for (const input of form.elements.material) {
    input.closest('label').hidden = !ways.includes(input.value);
    input.checked = input.value
      === (ways.includes(draft.material) ? draft.material : 'text');
  }
  const chosen = draftOf().material;
  for (const name of namesOf(account.fields, 'media')) {
    showField(name, chosen === 'references' && model[name] !== undefined);
    if (model[name]) {
      say(byId(`${name}-hint`), mediaHint(model[name]));
    }
  }
  for (const name of namesOf(account.fields, 'frame')) {
    showField(name, chosen === 'frames');
  }
}

function showCount(draft, limits) {
  const used = length(draft.prompt);
  const over = limits?.max ? used - limits.max : 0;
  const place = byId('prompt-count');
  say(place, over > 0
    ? `${count(used)} of ${count(limits.max)} characters: ${count(over)} too many`
    : limits?.max ? `${count(used)} of ${count(limits.max)} characters`
      : `${count(used)} characters`);
  place.classList.toggle('over', over > 0);
}

function show() {
  const model = modelOf(draftOf());
  for (const name of namesOf(account.fields, 'duration')) {
    showDuration(name, model[name]);
  }
  for (const name of namesOf(account.fields, 'choice')) {
    showChoices(name, model[name]);
  }
  showMaterial(draftOf(), model);
  const draft = draftOf();
  const isSet = setsOutput(draft, model);
  showField('duration', model.duration !== undefined && !isSet);
  showField('ratio', model.ratio !== undefined && !isSet);
  showField('referenceSeconds', isSet && account.currency !== undefined);
  byId('output-hint').hidden = !isSet;
  showCount(draft, model.prompt);
}

// OpenAI's names for what is not there, by the provider's.
const aliases = { seconds: 'duration', size: 'ratio',
  input_reference: 'referenceImages' };

// At which field a fault is shown; none for what has no field to see.
function placeOf(violation) {
  const given = /^\w+/.exec(violation.field ?? '')?.[0];
  const name = aliases[given] ?? given;
  const field = name && fieldOf(name);
  return field && !field.hidden ? name : null;
}

// Whether a fault is to be seen yet: not while the field is being filled in.
function isDue(name, violation) {
  return wasSubmitted
    || touched.has(name) && violation.code !== 'incomplete_pair';
}

// A sentence of the catalog, with the fields as the form calls them.
function sentence(message) {
  return message.replace(/^\w+/, (name) => aliases[name] ?? name)
    .replace(/(\w+)(?:\[(\d+)\])?/g, (part, name, line) => {
      const label = fieldOf(name)?.querySelector('label,legend');
      return label ? label.textContent.toLowerCase()
        + (line ? `, line ${line},` : '') : part;
    })
    .replace(/^./, (letter) => letter.toUpperCase())
    .replace(/[^.]$/, '$&.');
}

function showFaults(violations) {
  const messages = new Map();
  for (const violation of violations) {
    const name = placeOf(violation);
    if (name ? isDue(name, violation) : wasSubmitted) {
      messages.set(name,
        [...messages.get(name) ?? [], sentence(violation.message)]);
    }
  }
  for (const field of form.querySelectorAll('[data-field]')) {
    const name = field.dataset.field;
    const fault = byId(`${name}-fault`);
    if (fault) {
      say(fault, (messages.get(name) ?? []).join(' '));
      for (const input of field.querySelectorAll(
        'input:not([type=radio]),select,textarea')) {
        input.setAttribute('aria-invalid', messages.has(name));
      }
    }
  }
  say(byId('order-fault'), (messages.get(null) ?? [refusedOrder]).join(' '));
}

function showPrice(answer) {
  const { spend, open, currency } = account;
  byId('bill').hidden = !currency && !open;
  byId('price').closest('div').hidden = !currency;
  say(byId('price'), answer.cost === undefined ? answer.why ?? '–'
    : money(answer.cost, answer.currency ?? currency));
  const isTooMuch = spend && answer.cost > spend.left;
  byId('left-row').hidden = !spend;
  if (spend) {
    say(byId('left-name'), spend.per === 'day' ? 'Left today' : 'Left');
    say(byId('left'), `${money(spend.left)} of ${money(spend.cap, currency)}`
      + (isTooMuch ? ': too little' : ''));
    byId('left').classList.toggle('over', isTooMuch === true);
  }
  byId('open-row').hidden = !open;
  if (open) {
    say(byId('open'), `${count(open.used)} of ${count(open.cap)}`);
  }
}

// What the browser itself cannot read as a number has no value to send.
function ownViolations() {
  return namesOf(account.fields, 'duration')
    .filter((name) => byId(name).validity.badInput && !fieldOf(name).hidden)
    .map((name) => ({ field: name, code: 'type',
      message: `The ${name} is no number.` }));
}

async function check() {
  const turn = ++asked;
  try {
    const answer = await ask('POST', 'v1/price', currentFields());
    if (turn === asked) {
      showFaults([...ownViolations(), ...listOf(answer.violations)]);
      showPrice(answer);
    }
  } catch {
    // The order itself will tell.
  }
}

function changed() {
  refusedOrder = '';
  write(DRAFT, { ...draftOf(), caller: account.caller });
  show();
  clearTimeout(timer);
  timer = setTimeout(check, PAUSE);
}

function setSending(value) {
  isSending = value;
  const button = byId('submit');
  button.setAttribute('aria-disabled', value);
  say(button, value ? 'Ordering…' : 'Order video');
}

function accepted(video) {
  end();
  quietUntil = performance.now() + DOUBLE_CLICK;
  touched = new Set();
  wasSubmitted = false;
  byId('prompt').value = '';
  showFaults([]);
  changed();
  say(byId('order-status'), 'Ordered.');
  document.dispatchEvent(new CustomEvent('ordered', { detail: video }));
}

function refused(refusal) {
  say(byId('order-status'), '');
  if (refusal.isOpen) {
    keep(refusal.status === 0);
  } else {
    end();
  }
  if (refusal.violations.length > 0) {
    showFaults(refusal.violations);
    showPrice({});
    form.querySelector('[aria-invalid="true"]')?.focus();
  } else if (refusal.status !== 401) {
    refusedOrder = refusal.status === 0
      ? `${refusal.message} Press the button again when it does: the order is`
        + ' bought once.'
      : refusal.message;
    say(byId('order-fault'), refusedOrder);
  }
}

async function send(submission) {
  setSending(true);
  asked++;
  clearTimeout(timer);
  refusedOrder = '';
  say(byId('order-fault'), '');
  say(byId('order-status'), 'Sending the order.');
  try {
    accepted(await ask('POST', 'v1/videos', submission.fields,
      { 'Idempotency-Key': submission.key }));
  } catch (refusal) {
    refused(refusal);
  }
  setSending(false);
}

function submit(event) {
  event.preventDefault();
  if (isSending || performance.now() < quietUntil) {
    return;
  }
  wasSubmitted = true;
  const violations = ownViolations();
  if (violations.length > 0) {
    showFaults(violations);
    byId(violations[0].field).focus();
  } else {
    send(begin(currentFields(), account.caller));
  }
}

// Fills in what a draft says; the choices come with the model.
function fill(draft) {
  for (const [name, value] of Object.entries(draft)) {
    const control = form.elements[name];
    if (control) {
      control.value = value;
    }
  }
}

function restore() {
  form.reset();
  touched = new Set();
  wasSubmitted = false;
  const draft = read(DRAFT);
  if (draft?.caller === account.caller) {
    fill(draft);
    show();
    fill(draft);
  }
  byId('model').value ||= account.models[0].name;
}

// Fills in what is known of how an order was made.
export function repeat(video) {
  fill({ prompt: video.prompt ?? '', duration: video.seconds ?? '' });
  if (account.models.some((model) => model.name === video.model)) {
    fill({ model: video.model });
  }
  changed();
  byId('prompt').focus();
}

// Makes the field of a row of the account from the template of its kind.
function makeField({ name, kind, label }) {
  const field = byId(`${kind}-field`).content.firstElementChild.cloneNode(true);
  field.dataset.field = name;
  field.querySelector('label,legend').textContent = label;
  const described = [];
  for (const part of field.querySelectorAll('.hint,.fault')) {
    part.id = `${name}-${part.className}`;
    described.push(part.id);
  }
  const control = field.querySelector('input,textarea');
  if (control) {
    Object.assign(control, { id: name, name });
    field.querySelector('label').htmlFor = name;
  } else {
    field.querySelector('.chips').id = `${name}-choices`;
  }
  (control ?? field).setAttribute('aria-describedby', described.join(' '));
  byId(`${kind}-fields`).append(field);
}

function makeFields() {
  for (const field of account.fields) {
    if (byId(`${field.kind}-field`) && !fieldOf(field.name)) {
      makeField(field);
    }
  }
  fieldOf('referenceVideos')?.after(fieldOf('referenceSeconds'));
}

// Shows what the gateway says of the caller. At first it also fills in the
// draft, and goes on with an order that a reload interrupted.
export function begun(given) {
  const isFirst = account?.caller !== given.caller;
  account = given;
  if (isFirst) {
    makeFields();
    byId('model').replaceChildren(...account.models.map((model) =>
      make('option', { value: model.name }, model.name)));
    restore();
    show();
    const submission = interrupted(currentFields(), account.caller);
    if (submission) {
      send(submission);
    }
  }
  show();
  check();
}

form.addEventListener('input', () => {
  say(byId('order-status'), '');
  changed();
});
form.addEventListener('change', (event) => {
  touched.add(event.target.closest('[data-field]')?.dataset.field);
  changed();
});
form.addEventListener('submit', submit);
