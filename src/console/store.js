// The entries that the page holds, and which of them are shown.

export const LEVELS = ['debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg'];

const CAPACITY = 100_000; // entries
const MAX_CHARACTERS = 64 * 1024 * 1024; // of their messages: one alone may have 64 Ki

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
    if (row.source) this.sources.add(row.source);
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
    return row.level >= level && (!source || row.source === source) && (!text
      || row.text.toLowerCase().includes(text) || row.fields.toLowerCase().includes(text));
  }
}
