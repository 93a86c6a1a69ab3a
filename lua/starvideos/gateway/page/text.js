// Numbers, money, times and states as people read them.

const decimals = new Intl.NumberFormat(undefined,
  { minimumFractionDigits: 2, maximumFractionDigits: 6 });
const whole = new Intl.NumberFormat();
const moments = new Intl.DateTimeFormat(undefined,
  { dateStyle: 'medium', timeStyle: 'short' });

export function money(amount, currency) {
  return `${decimals.format(amount)} ${currency ?? ''}`.trim();
}

export function count(number) {
  return whole.format(number);
}

export function moment(seconds) {
  return moments.format(new Date(seconds * 1000));
}

// Characters as the gateway counts them: code points.
export function length(text) {
  return [...text].length;
}

export function excerpt(text, most) {
  const characters = [...text.trim()];
  return characters.length <= most ? characters.join('')
    : `${characters.slice(0, most - 1).join('').trimEnd()}…`;
}

export const states = {
  queued: { name: 'Queued', mark: '○' },
  in_progress: { name: 'In progress', mark: '◔' },
  completed: { name: 'Completed', mark: '✓' },
  failed: { name: 'Failed', mark: '✕' },
};

export function isOpen(video) {
  return video.status === 'queued' || video.status === 'in_progress';
}
