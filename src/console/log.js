// The live log: a list of which only the visible rows exist, and what can be done with it.

import { $, count, countdown, element, facts, number, visible } from './dom.js';
import { LEVELS, Store, Stream, View } from './feed.js';

const SPARE = 8; // rows kept above and below the visible ones
const SLICE = 6; // ms of filtering in one frame
const LONGEST = 600; // characters of a message in its row; all of it is shown beside the list
const STATES = { connecting: 'Connecting', live: 'Live', waiting: 'Connection lost' };

const store = new Store();
const view = new View(store);
const stream = new Stream({ message: take, state: showState });

let following = true;
let active = null; // the number of the entry that the keyboard is on
let opened = null; // the entry shown whole
let frame = 0;
let rowHeight = 0;
let lastTop = 0;
let highlight = null;
let stopCount = () => {};

export function begin() {
  const lines = $('lines');
  lines.onscroll = scrolled;
  lines.onkeydown = key;
  lines.onclick = ({ target }) => {
    const row = target.closest('.row[data-n]');
    // Whoever selects text to copy it does not want the entry opened.
    if (row && getSelection().isCollapsed) open(Number(row.dataset.n));
  };
  new ResizeObserver(() => {
    rowHeight = 0;
    schedule();
  }).observe(lines);
  $('level').append(...LEVELS.slice(0, 6).map((name, level) =>
    element('option', level ? `${name} and above` : 'All levels', { value: level })));
  showSources();
  for (const id of ['search', 'source', 'level']) $(id).oninput = refilter;
  $('pause').onclick = () => pause(view.limit === Infinity);
  $('follow').onclick = () => follow(!following);
  $('copy').onclick = () => copy(text(), `${number(view.length)} lines copied.`);
  $('download').onclick = download;
  $('retry').onclick = hurry;
  $('entry-close').onclick = close;
  $('entry-copy').onclick = () => copy(line(opened), 'Entry copied.');
  document.addEventListener('keydown', event => {
    const typing = event.target.closest('input, select, textarea');
    if (event.key === '/' && !typing && document.body.dataset.view === 'log') {
      event.preventDefault();
      $('search').focus();
    } else if (event.key === 'Escape' && !$('entry').hidden) close();
  });
}

export const start = () => stream.open();
export const hurry = () => stream.hurry();
export const check = ({ boot, newest }) => stream.check(boot, newest);

export function stop() {
  stream.reset();
  store.clear();
  // What one user read is not left for the next.
  $('rows').replaceChildren();
  $('entry-text').textContent = '';
  for (const id of ['search', 'source']) $(id).value = '';
  $('level').value = 0;
  showSources();
  close();
  pause(false);
  follow(true);
  refilter();
}

export function enter() {
  rowHeight = 0;
  schedule();
}

function take(message) {
  if (message.type === 'hello') {
    if (!message.again) return;
    message = { type: 'restart' };
  }
  store.push(message);
  schedule();
}

function showState(state, seconds) {
  stopCount();
  $('stream').dataset.state = state;
  $('stream-text').textContent = STATES[state];
  $('stream-wait').textContent = '';
  $('retry').hidden = state !== 'waiting';
  if (seconds) stopCount = count(seconds, left => { $('stream-wait').textContent = `next attempt in ${countdown(left)}`; });
}

function refilter() {
  const search = $('search').value;
  highlight = search && new RegExp(search.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), 'giu');
  view.filter({ source: $('source').value, level: Number($('level').value), text: search });
  schedule();
}

function pause(on) {
  view.limit = on ? store.next : Infinity;
  $('pause').setAttribute('aria-pressed', on);
  schedule();
}

function follow(on) {
  following = on;
  $('follow').setAttribute('aria-pressed', on);
  schedule();
}

// Scrolling up lets go of the end, scrolling down to it follows again.
function scrolled() {
  const { scrollTop, clientHeight, scrollHeight } = $('lines');
  const atEnd = scrollTop + clientHeight >= scrollHeight - 2;
  if (following ? !atEnd && scrollTop < lastTop : atEnd && scrollTop > lastTop) follow(!following);
  lastTop = scrollTop;
  schedule();
}

function schedule() {
  frame ||= requestAnimationFrame(paint);
}

function paint() {
  frame = 0;
  if (document.body.dataset.view !== 'log') return;
  const lines = $('lines');
  const rows = $('rows');
  const went = view.advance(SLICE);
  if (!rowHeight) {
    if (!rows.firstChild) rows.append(newRow());
    rows.firstChild.hidden = false;
    // In whole pixels, since a browser scrolls by no less, and every trim at the top would be off by a little.
    lines.style.removeProperty('--row');
    rowHeight = Math.round(rows.firstChild.getBoundingClientRect().height);
    lines.style.setProperty('--row', `${rowHeight}px`);
  }
  $('space').style.height = `${view.length * rowHeight}px`;
  if (following) lines.scrollTop = lines.scrollHeight;
  // What went away at the top must not move what is being read.
  else if (went) lines.scrollTop -= went * rowHeight;
  lastTop = lines.scrollTop;
  const from = Math.max(0, Math.floor(lastTop / rowHeight) - SPARE);
  const to = Math.min(view.length, Math.ceil((lastTop + lines.clientHeight) / rowHeight) + SPARE);
  fillAll(rows, from, to);
  rows.style.transform = `translateY(${from * rowHeight}px)`;
  lines.setAttribute('aria-rowcount', view.length + 1);
  showCounts();
  if (view.behind) schedule();
}

// Rows stay with their entry where they can, so that scrolling by one changes one, and a selection lives.
function fillAll(rows, from, to) {
  const wanted = Math.max(to - from, 1);
  const first = from < to ? view.number(from) : 0;
  let spare = [];
  while (rows.firstChild && Number(rows.firstChild.dataset.n) < first) {
    spare.push(rows.firstChild);
    rows.firstChild.remove();
  }
  while (rows.childElementCount > wanted) {
    spare.push(rows.lastChild);
    rows.lastChild.remove();
  }
  while (rows.childElementCount < wanted) rows.append(spare.pop() ?? newRow());
  [...rows.children].forEach((row, offset) => {
    const index = from + offset;
    row.hidden = index >= to;
    if (!row.hidden) fill(row, index);
  });
  const shown = active !== null && active >= first && active <= view.number(to - 1);
  if (shown) $('lines').setAttribute('aria-activedescendant', `line-${active}`);
  else $('lines').removeAttribute('aria-activedescendant');
}

function newRow() {
  const row = element('div', undefined, { className: 'row', role: 'row' });
  row.append(...['time', 'level', 'from', 'text'].map(className => element('span', '\u00a0', { className, role: 'gridcell' })));
  return row;
}

function fill(row, index) {
  const n = view.number(index);
  row.setAttribute('aria-rowindex', index + 2);
  row.setAttribute('aria-selected', n === active);
  if (row.dataset.n === String(n) && row.highlight === highlight) return;
  row.dataset.n = n;
  row.id = `line-${n}`;
  row.highlight = highlight;
  const entry = view.row(index);
  const [time, level, from, message] = row.children;
  row.dataset.kind = entry.type === 'log' ? LEVELS[entry.level] ?? '' : entry.type;
  row.classList.toggle('grave', entry.level >= 4);
  time.textContent = clock(entry.time);
  level.textContent = row.dataset.kind;
  from.textContent = visible(entry.source ?? '');
  if (entry.type !== 'log') {
    message.textContent = remark(entry);
    return;
  }
  message.replaceChildren(...marked(entry.text));
  if (entry.fields) {
    const fields = element('span', undefined, { className: 'fields' });
    fields.append(' ', ...marked(entry.fields));
    message.append(fields);
  }
}

const remark = entry => entry.type === 'gap'
  ? `${number(entry.missed)} ${entry.missed === 1 ? 'line is' : 'lines are'} missing here (${entry.seq} to ${entry.to})`
  : 'postern was restarted';

// The start of a text, or the surroundings of its first match, with all matches marked.
function marked(text) {
  const first = highlight ? text.search(highlight) : -1;
  const from = first > LONGEST / 2 ? first - 40 : 0;
  const part = text.slice(from, from + LONGEST);
  const pieces = from ? ['…'] : [];
  let at = 0;
  if (first >= 0) {
    for (const match of part.matchAll(highlight)) {
      pieces.push(visible(part.slice(at, match.index)), element('mark', visible(match[0])));
      at = match.index + match[0].length;
    }
  }
  pieces.push(visible(part.slice(at)));
  if (from + LONGEST < text.length) pieces.push('…');
  return pieces;
}

function clock(timestamp) {
  if (!timestamp) return '';
  const date = new Date(timestamp);
  const two = value => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (date.toDateString() !== new Date().toDateString()) return `${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
  return `${time}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

function showCounts() {
  const held = store.next - store.first;
  const some = view.length === held || view.behind ? '' : `${number(view.length)} of `;
  const later = view.limit === Infinity ? '' : ` · paused, ${number(store.next - Math.max(view.limit, store.first))} new`;
  $('count').textContent = `${some}${number(held)} ${held === 1 ? 'line' : 'lines'}${later}`;
  $('pause').textContent = later ? 'Resume' : 'Pause';
  if ($('source').length - 1 !== store.sources.size) showSources();
}

function showSources() {
  const list = $('source');
  const chosen = list.value;
  list.replaceChildren(...['', ...store.sources].sort().map(
    name => element('option', visible(name) || 'All sources', { value: name })));
  list.value = chosen;
}

function key(event) {
  const page = Math.max(1, Math.floor($('lines').clientHeight / rowHeight) - 2);
  const here = active === null ? view.length : view.index(active);
  const there = {
    ArrowUp: here - 1,
    ArrowDown: here + 1,
    PageUp: here - page,
    PageDown: here + page,
    Home: 0,
    End: view.length - 1,
  }[event.key];
  if (event.ctrlKey || event.metaKey || event.altKey || !view.length) return;
  if (event.key === 'Enter' && active !== null) open(active);
  else if (there === undefined) return;
  else move(Math.min(view.length - 1, Math.max(0, there)));
  event.preventDefault();
}

function move(index) {
  active = view.number(index);
  if (following !== (index === view.length - 1)) follow(!following);
  if ($('entry').hidden) reveal(index);
  else open(active);
  schedule();
}

function reveal(index) {
  const lines = $('lines');
  const head = lines.firstElementChild.offsetHeight;
  const top = index * rowHeight;
  const bottom = head + top + rowHeight - lines.clientHeight;
  if (lines.scrollTop > top) lines.scrollTop = top;
  else if (lines.scrollTop < bottom) lines.scrollTop = bottom;
}

// Shows an entry whole.
function open(n) {
  const entry = store.at(n);
  if (!entry || n < store.first) return;
  active = n;
  opened = entry;
  const log = entry.type === 'log';
  facts($('entry-facts'), [
    ['Time', entry.time && `${new Date(entry.time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'long' })} (${entry.time})`],
    ['Level', LEVELS[entry.level]],
    ['Source', visible(entry.source ?? '')],
    ['Number', log ? String(entry.seq) : ''],
    ['Fields', visible(entry.fields)],
  ]);
  $('entry-text').textContent = log ? entry.text.split('\n').map(visible).join('\n') : remark(entry);
  $('entry').hidden = false;
  // The list may have less room now.
  reveal(view.index(n));
  schedule();
}

function close() {
  const inside = $('entry').contains(document.activeElement);
  $('entry').hidden = true;
  opened = null;
  if (inside) $('lines').focus();
}

// Copies and files have an entry on one line, and nothing in it that would drive the terminal it is pasted or shown in.
const line = entry => entry.type === 'log'
  ? visible([entry.time, entry.source, LEVELS[entry.level], entry.text, entry.fields].filter(Boolean).join(' '))
  : `--- ${remark(entry)} ---`;

function text() {
  const lines = [];
  for (let index = 0; index < view.length; index++) lines.push(line(view.row(index)));
  return lines.join('\n') + '\n';
}

async function copy(words, done) {
  try {
    await navigator.clipboard.writeText(words);
    note(done);
  } catch {
    note('The browser does not let this page copy.');
  }
}

function download() {
  const url = URL.createObjectURL(new Blob([text()], { type: 'text/plain' }));
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '');
  element('a', undefined, { href: url, download: `${$('host').textContent}-${time}.log` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  note(`${number(view.length)} lines saved.`);
}

function note(words) {
  $('log-note').textContent = words;
  setTimeout(() => {
    if ($('log-note').textContent === words) $('log-note').textContent = '';
  }, 4000);
}
