// What every part of the page uses: elements, and figures in words.

export const $ = id => document.getElementById(id);

// An element with this text. Whatever the text is, it stays text: nothing on this page is ever parsed as HTML.
export function element(name, text, properties) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, properties);
}

// A link to a view of this page, or to what is elsewhere: the address is not ours to trust, and may be none.
export const about = (text, href) =>
  /^(#|https:\/\/)/.test(href) ? element('a', text, { href, rel: 'noreferrer', target: href[0] === '#' ? '' : '_blank' }) : '';

// A log line, or an advisory, is whatever somebody could make a program write. What would not be seen, or would turn the
// text around it, is shown as what it is; joiners stay, since scripts need them.
export const visible = text => text.replace(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, character => {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? '\u2421' : `‹${code.toString(16)}›`;
});

// Shows rows of name and value in a <dl>; a row without a value is left out.
export function facts(list, rows) {
  list.replaceChildren(...rows.filter(([, value]) => value !== undefined && value !== '').flatMap(
    ([name, value]) => {
      const definition = element('dd');
      definition.append(value);
      return [element('dt', name), definition];
    }));
}

export const number = value => value.toLocaleString('en');

export function bytes(count) {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) {
    count /= 1024;
    unit++;
  }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

export function duration(seconds) {
  const [days, hours, minutes] = [seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60].map(Math.floor);
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
}

// For waits, which are watched: 4:05, or 12 s.
export function countdown(seconds) {
  const rest = String(seconds % 60);
  return seconds < 60 ? `${rest} s` : `${Math.floor(seconds / 60)}:${rest.padStart(2, '0')} min`;
}

// Calls `show` with the whole seconds left, each second, until none are. Returns what stops it.
export function count(seconds, show) {
  const end = Date.now() + seconds * 1000;
  const tick = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    if (left === 0) clearInterval(timer);
    show(left);
  };
  const timer = setInterval(tick, 1000);
  tick();
  return () => clearInterval(timer);
}

// Puts a button beside each password field that shows what was typed.
export function showButtons() {
  for (const field of document.querySelectorAll('[type=password]')) {
    const button = element('button', 'Show', { type: 'button', ariaPressed: 'false' });
    button.setAttribute('aria-label', `Show: ${field.labels[0].textContent}`);
    button.onclick = () => {
      const shown = field.type === 'text';
      field.type = shown ? 'password' : 'text';
      button.setAttribute('aria-pressed', !shown);
    };
    field.after(button);
  }
}
