// The log's entries: how they come, which of them the page holds, and which of those are shown.

import { Refusal, call } from './session.js';

export const LEVELS = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg'];

const CAPACITY = 100_000; // entries
const MAX_SOURCES = 200; // to choose from
const MAX_CHARACTERS = 64 * 1024 * 1024; // of their messages: one alone may have 64 Ki
const LONGEST_WAIT = 30; // seconds between two attempts
const VIOLATION = 1008; // the login that it was opened under has ended

// The connection to the live log: a ticket, a WebSocket, and coming back after the last entry seen.
// `on.message` gets each message; `on.state` gets 'connecting', 'live', or 'waiting' with the seconds to go.
export class Stream {
  #on;
  #socket = null;
  #timer = 0;
  #failures = 0;
  #boot = null;
  #last = 0;
  #heard = false;
  // Whatever belongs to an attempt before this one is over.
  #attempt = 0;

  constructor(on) {
    this.#on = on;
  }

  async open() {
    this.close();
    const attempt = this.#attempt;
    this.#on.state('connecting');
    let ticket;
    try {
      ticket = await call('api/ws-token');
    } catch (refusal) {
      if (attempt !== this.#attempt) return;
      // Over for good: the page goes back to the sign-in.
      if (!(refusal instanceof Refusal) || refusal.status === 401) return;
      this.#later(refusal.wait);
      return;
    }
    if (attempt !== this.#attempt) return;
    const url = new URL('api/ws/logs', document.baseURI);
    url.protocol = 'wss:';
    url.searchParams.set('since', this.#last);
    if (this.#boot) url.searchParams.set('boot', this.#boot);
    // In the subprotocol the ticket stays out of whatever keeps URLs.
    const socket = new WebSocket(url, ['postern.logs', `postern.token.${ticket.token}`]);
    socket.onmessage = ({ data }) => {
      if (attempt === this.#attempt) this.#take(JSON.parse(data));
    };
    socket.onclose = ({ code }) => {
      if (attempt !== this.#attempt) return;
      // The page may have another login by now (a changed password), or has to find out that it has none.
      this.#later(code === VIOLATION && this.#failures === 0 ? 0 : undefined);
    };
    this.#socket = socket;
  }

  close() {
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#socket?.close();
    this.#socket = null;
  }

  // Another user's view of the log begins anew.
  reset() {
    this.close();
    this.#boot = null;
    this.#last = 0;
    this.#failures = 0;
  }

  // The network may be back: an attempt that waits is made now.
  hurry() {
    if (this.#timer) this.open();
  }

  // A connection can die without a word, and a page never sees the server's pings. If entries go on elsewhere while
  // nothing came here since the last call, it is dead.
  check(boot, newest) {
    const stale = this.#socket && boot === this.#boot && newest > this.#last && !this.#heard;
    this.#heard = false;
    if (stale && this.#socket.readyState === WebSocket.OPEN) this.open();
  }

  #take(message) {
    this.#heard = true;
    switch (message.type) {
      case 'hello':
        this.#failures = 0;
        if (message.boot !== this.#boot) this.#last = 0;
        message.again = this.#boot !== null && message.boot !== this.#boot;
        this.#boot = message.boot;
        this.#on.state('live');
        break;
      case 'log':
        this.#last = message.seq;
        break;
      case 'gap':
        this.#last = message.to;
        break;
    }
    this.#on.message(message);
  }

  #later(wait) {
    this.#socket = null;
    // A crowd of pages should not come back in step.
    wait ??= Math.min(LONGEST_WAIT, 2 ** this.#failures) * (0.8 + 0.4 * Math.random());
    this.#failures++;
    this.#timer = setTimeout(() => this.open(), wait * 1000);
    this.#on.state('waiting', Math.ceil(wait));
  }
}

// The newest entries, each under a number that it keeps. The oldest go.
export class Store {
  #rows = [];
  #characters = 0;
  first = 0;
  next = 0;
  sources = new Set();

  at(n) {
    return this.#rows[n % CAPACITY];
  }

  // `message` is one of the stream's, or `{type: 'restart'}`.
  push(message) {
    const row = {
      type: message.type,
      seq: message.seq ?? message.from,
      missed: message.missed,
      to: message.to,
      time: message.timestamp,
      source: message.source,
      level: LEVELS.indexOf(message.level),
      text: message.message ?? '',
      fields: plain(message.fields),
    };
    if (row.source && this.sources.size < MAX_SOURCES) this.sources.add(row.source);
    this.#characters += weight(row);
    while (this.next - this.first >= CAPACITY || (this.#characters > MAX_CHARACTERS && this.first < this.next)) {
      this.#characters -= weight(this.at(this.first));
      this.#rows[this.first % CAPACITY] = undefined;
      this.first++;
    }
    this.#rows[this.next % CAPACITY] = row;
    this.next++;
  }

  clear() {
    this.#rows = [];
    this.#characters = 0;
    this.first = this.next;
    this.sources.clear();
  }
}

const weight = row => row.text.length + row.fields.length;

// Fields as `name=value`, the way they are read and searched.
function plain(fields) {
  return Object.entries(fields ?? {}).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ');
}

// The numbers of those entries that a filter lets through. It is brought up to date a bit at a time, so that no filter
// over a hundred thousand entries ever holds up the page.
export class View {
  #store;
  #shown = [];
  #gone = 0;
  #upto = 0;
  #filter = { source: '', level: 0, text: '' };
  // Paused: nothing from this number on is shown.
  limit = Infinity;

  constructor(store) {
    this.#store = store;
  }

  get length() {
    return this.#shown.length - this.#gone;
  }

  get text() {
    return this.#filter.text;
  }

  get #end() {
    return Math.min(this.limit, this.#store.next);
  }

  get behind() {
    return this.#upto < this.#end;
  }

  number(index) {
    return this.#shown[this.#gone + index];
  }

  row(index) {
    return this.#store.at(this.number(index));
  }

  // Where the entry with this number is, or would be.
  index(n) {
    let low = this.#gone;
    let high = this.#shown.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#shown[middle] < n) low = middle + 1;
      else high = middle;
    }
    return low - this.#gone;
  }

  filter(filter) {
    this.#filter = { ...filter, text: filter.text.toLowerCase() };
    this.#shown = [];
    this.#gone = 0;
    this.#upto = this.#store.first;
  }

  // Looks at further entries for some milliseconds. Returns how many rows went away at the top.
  advance(milliseconds) {
    const { first } = this.#store;
    const before = this.#gone;
    while (this.#shown[this.#gone] < first) this.#gone++;
    const went = this.#gone - before;
    if (this.#gone > 20_000) {
      this.#shown.splice(0, this.#gone);
      this.#gone = 0;
    }
    this.#upto = Math.max(this.#upto, first);
    const deadline = performance.now() + milliseconds;
    const end = this.#end;
    while (this.#upto < end) {
      if (this.#passes(this.#store.at(this.#upto))) this.#shown.push(this.#upto);
      this.#upto++;
      if (this.#upto % 64 === 0 && performance.now() > deadline) break;
    }
    return went;
  }

  // What is no entry (a gap, a restart) is always shown: it says what else is not.
  #passes(row) {
    const { source, level, text } = this.#filter;
    if (row.type !== 'log') return true;
    return (!level || row.level >= level) && (!source || row.source === source) && (!text
      || row.text.toLowerCase().includes(text) || row.fields.toLowerCase().includes(text));
  }
}
