// The connection to the live log: a ticket, a WebSocket, and coming back after the last entry seen.

import { Refusal, call } from './session.js';

const LONGEST_WAIT = 30; // seconds between two attempts
const VIOLATION = 1008; // the login that it was opened under has ended

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
