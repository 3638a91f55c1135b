// Who is signed in, and how the page asks the server.
//
// The access token is in this module's memory and nowhere else. The refresh token is in sessionStorage, so that a
// reload stays signed in and the end of the tab is the end of it. A refresh token works once, and a second use of it
// looks like theft to the server: so at any time one refresh at most is under way, in this page and, since a duplicated
// tab has a copy of the token, in all tabs together.

const KEY = 'postern.refresh';
const PATIENCE = 30_000; // ms; a small board may take seconds over a password
const LOST = 'your session has ended; please sign in again';

let access = null;
let renewAt = Infinity;
let refreshing = null;
let leaving = false;
const underWay = new Set();
let whenEnded = () => {};

// Why something did not work. `status` 0: there was no answer at all. `wait`: seconds, if the server named them.
export class Refusal extends Error {
  constructor(status, detail, wait) {
    super(detail);
    this.status = status;
    this.wait = wait;
  }

  // The server's sentence, as one.
  get words() {
    return this.message[0].toUpperCase() + this.message.slice(1) + '.';
  }
}

// Called with a sentence when the session is over without the user having asked for it.
export function onEnd(action) {
  whenEnded = action;
}

export const signedIn = () => access !== null;

export function user() {
  const [, claims] = access.split('.');
  const text = atob(claims.replaceAll('-', '+').replaceAll('_', '/'));
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(text, c => c.charCodeAt(0)))).sub;
}

export async function signIn(username, password) {
  adopt(await send('api/auth/login', { method: 'POST', body: { username, password } }));
}

// After a reload: true if this tab was signed in and still is.
export async function resume() {
  if (!sessionStorage.getItem(KEY)) return false;
  await refresh(access);
  return true;
}

export async function signOut() {
  // What is under way would only be refused; but a refresh brings what is to be ended.
  leaving = true;
  underWay.forEach(request => request.abort(LOST));
  try {
    await refreshing?.catch(() => {});
    const token = access;
    const end = () => send('api/logout', { method: 'POST', token: access });
    await end().catch(async refusal => {
      if (refusal.status !== 401) throw refusal;
      // The access token has expired. The refresh token would live on for days.
      await refresh(token);
      await end();
    });
  } catch (refusal) {
    // The session has ended before, and that was the wish.
    if (refusal.status !== 401) throw refusal;
  } finally {
    leaving = false;
    forget();
  }
}

// The change ends all tokens but the access token that asked for it, this page's refresh token too. A new sign-in gives
// it another; until then no other call may try to refresh. False if that failed: the page goes on until its token expires.
export async function changePassword(current, next) {
  const name = user();
  await call('api/change-password', { method: 'POST', body: { current_password: current, new_password: next } });
  const before = access;
  sessionStorage.removeItem(KEY);
  renewAt = Infinity;
  try {
    await signIn(name, next);
  } catch {
    return false;
  }
  send('api/logout', { method: 'POST', token: before }).catch(() => {});
  return true;
}

// One request under /api, with the token, refreshed if need be. Gives the answer's JSON or throws a Refusal.
export async function call(path, options = {}) {
  if (Date.now() > renewAt) {
    // Early: the token still works, so nothing is lost if this does not succeed now.
    await refresh(access).catch(() => { renewAt = Date.now() + PATIENCE; });
  }
  const token = access;
  if (token === null || leaving) throw new Refusal(401, LOST);
  try {
    return await send(path, { ...options, token });
  } catch (refusal) {
    if (refusal.status !== 401) throw refusal;
  }
  await refresh(token);
  return send(path, { ...options, token: access });
}

function refresh(stale) {
  refreshing ??= exclusively(() => renew(stale)).finally(() => { refreshing = null; });
  return refreshing;
}

// `navigator.locks` is shared by all tabs of this origin.
const exclusively = action => navigator.locks ? navigator.locks.request('postern.refresh', action) : action();

async function renew(stale) {
  // Somebody else was faster.
  if (access !== stale) return;
  const used = sessionStorage.getItem(KEY);
  try {
    if (!used) throw new Refusal(401, LOST);
    const pair = await send('api/auth/refresh', { method: 'POST', body: { refresh_token: used } });
    adopt(pair);
    tabs?.postMessage({ used, pair });
  } catch (refusal) {
    if (refusal.status !== 401) throw refusal;
    // Or another tab was, and its message is still under way.
    await new Promise(resolve => setTimeout(resolve, 500));
    if (access !== stale) return;
    forget();
    whenEnded(new Refusal(401, LOST).words);
    throw new Refusal(401, LOST);
  }
}

const tabs = 'BroadcastChannel' in window ? new BroadcastChannel('postern.refresh') : null;
if (tabs) {
  tabs.onmessage = ({ data: { used, pair } }) => {
    if (sessionStorage.getItem(KEY) === used) adopt(pair);
  };
}

function adopt(pair) {
  access = pair.access_token;
  sessionStorage.setItem(KEY, pair.refresh_token);
  // After four fifths of its life. Without a timer: the page asks for something every few seconds anyway.
  renewAt = Date.now() + pair.expires_in * 800;
}

function forget() {
  access = null;
  renewAt = Infinity;
  sessionStorage.removeItem(KEY);
}

async function send(path, { method = 'GET', body, token } = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const request = new AbortController();
  const timer = setTimeout(() => request.abort(), PATIENCE);
  if (token) underWay.add(request);
  let response;
  let answer;
  try {
    response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      cache: 'no-store',
      // Neither the browser's own password prompt on a 401, nor a password that it remembers from one.
      credentials: 'omit',
      signal: request.signal,
    });
    answer = await response.json();
  } catch {
    throw request.signal.reason === LOST ? new Refusal(401, LOST) : new Refusal(0, 'the device does not answer');
  } finally {
    clearTimeout(timer);
    underWay.delete(request);
  }
  if (response.ok) return answer;
  const wait = Number(response.headers.get('Retry-After')) || undefined;
  const detail = String(answer.detail || `the device answered with status ${response.status}`);
  // The page counts the wait down itself.
  throw new Refusal(response.status, wait ? detail.replace(/; try again in \d+ s$/, '') : detail, wait);
}
