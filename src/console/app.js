// The page as a whole: signing in and out, the views, and asking the device every few seconds.

import { $, count, countdown, showButtons } from './dom.js';
import * as log from './log.js';
import * as overview from './overview.js';
import * as security from './security.js';
import * as session from './session.js';

const PERIOD = 5_000; // ms
const VIEWS = { overview: 'Overview', log: 'Log', security: 'Security' };

let host = location.hostname;
let timer = 0;
let stopCount = () => {};

function show(view) {
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== `view-${view}`;
  document.body.dataset.view = view;
  $('bar').hidden = view === 'sign-in';
  for (const link of document.querySelectorAll('nav a')) {
    if (link.hash === `#${view}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  title();
}

function title() {
  const view = VIEWS[document.body.dataset.view];
  document.title = [view, host, 'postern'].filter(Boolean).join(' · ');
  $('host').textContent = host;
}

// The view that the address names.
function route(event) {
  if (!session.signedIn()) return;
  let view = location.hash.slice(1);
  // The skip link, or nothing.
  if (!(view in VIEWS)) {
    if (event) return;
    view = 'overview';
  }
  show(view);
  if (view === 'security') security.enter();
  if (view === 'log') log.enter();
  // Whoever follows a link hears, and tabs on from, where it led.
  if (event) $(`h-${view}`).focus();
  poll();
}

async function poll() {
  clearTimeout(timer);
  if (!session.signedIn() || document.hidden) return;
  const late = setTimeout(trouble, PERIOD, 'The device does not answer.');
  try {
    const status = await overview.update();
    if (document.body.dataset.view === 'security') await security.update(status.advisories);
    log.check(status.logs);
    if (status.hostname && status.hostname !== host) {
      host = status.hostname;
      title();
    }
    trouble('');
  } catch (refusal) {
    if (!(refusal instanceof session.Refusal)) throw refusal;
    // 401 has led to the sign-in already.
    if (refusal.status !== 401) trouble(`${refusal.words} Trying again.`);
  } finally {
    clearTimeout(late);
    clearTimeout(timer);
    if (session.signedIn()) timer = setTimeout(poll, PERIOD);
  }
}

function trouble(words) {
  if ($('trouble').textContent !== words) $('trouble').textContent = words;
  $('trouble').hidden = !words;
  // What was true a while ago is no news of how the device is.
  $('health').hidden = words;
}

function signedIn() {
  $('who').textContent = session.user();
  overview.reset();
  log.start();
  route();
}

function signedOut(notice, error = false) {
  clearTimeout(timer);
  log.stop();
  trouble('');
  show('sign-in');
  $('sign-in-notice').textContent = error ? '' : notice;
  $('sign-in-error').textContent = error ? notice : '';
  $('password').value = '';
  $(notice ? 'h-sign-in' : 'password').focus();
}

async function signIn() {
  const button = $('sign-in').querySelector('.primary');
  button.disabled = true;
  stopCount();
  for (const id of ['sign-in-notice', 'sign-in-error', 'sign-in-wait']) $(id).textContent = '';
  try {
    await session.signIn($('user').value, $('password').value);
    $('password').value = '';
    signedIn();
    $(`h-${document.body.dataset.view}`).focus();
  } catch (refusal) {
    if (!(refusal instanceof session.Refusal)) throw refusal;
    $('sign-in-error').textContent = refusal.words;
    if (refusal.wait) {
      stopCount = count(refusal.wait, left => {
        $('sign-in-wait').textContent = left ? `Try again in ${countdown(left)}.` : '';
        if (!left) $('sign-in-error').textContent = '';
        button.disabled = left > 0;
      });
      return;
    }
    $('password').select();
  }
  button.disabled = false;
}

async function signOut() {
  $('sign-out').disabled = true;
  try {
    await session.signOut();
    signedOut('You are signed out.');
  } catch (refusal) {
    signedOut(`${refusal.words} This page has forgotten the session; the device may not have ended it.`, true);
  }
  $('sign-out').disabled = false;
}

async function begin() {
  showButtons();
  overview.begin();
  security.begin();
  log.begin();
  $('address').textContent = location.host;
  $('sign-in').onsubmit = event => {
    event.preventDefault();
    signIn();
  };
  $('sign-out').onclick = signOut;
  session.onEnd(signedOut);
  addEventListener('hashchange', route);
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) {
      poll();
      log.hurry();
    }
  });
  addEventListener('online', log.hurry);
  try {
    if (await session.resume()) signedIn();
    else signedOut('');
  } catch (refusal) {
    // A session that is over has said so itself.
    if (refusal.status !== 401) signedOut(`${refusal.words} Reload the page to go on with your session.`, true);
  }
}

begin();
