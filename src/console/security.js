// Known vulnerabilities, lock-outs, and the change of the password.

import { $, about, countdown, element, number, visible } from './dom.js';
import { call, changePassword, user } from './session.js';

const RULES = [
  ['at least 8 characters', text => [...text].length >= 8],
  ['at most 72 bytes', text => text && new TextEncoder().encode(text).length <= 72],
  ['not the current password', text => text && text !== $('current').value],
  ['not the user name', text => text && text !== user()],
];

export function begin() {
  $('rules').replaceChildren(...RULES.map(() => element('li')));
  $('change').oninput = showRules;
  $('change').onsubmit = event => {
    event.preventDefault();
    change();
  };
}

// For whoever comes to this view.
export function enter() {
  $('change-user').value = user();
  for (const id of ['current', 'new', 'again']) $(id).value = '';
  for (const id of ['change-error', 'change-note', 'locks-note']) $(id).textContent = '';
  showRules();
}

// `advisories`: what the status says of them.
export async function update(advisories) {
  const { data } = await call('api/security/rate-limits');
  $('locks-table').hidden = !data.length;
  $('locks-none').hidden = data.length > 0;
  // A button that is being used keeps its focus: rows stay as long as their address does.
  const rows = new Map([...$('locks').children].map(row => [row.dataset.ip, row]));
  for (const { ip, attempts, blocked, retry_after: wait } of data) {
    const row = rows.get(ip) ?? newRow(ip);
    rows.delete(ip);
    const [, failures, state] = row.children;
    failures.textContent = number(attempts);
    state.textContent = blocked ? `Locked out for ${countdown(wait)}` : 'Counted';
    state.className = blocked ? 'error' : '';
    if (!row.parentNode) $('locks').append(row);
  }
  rows.forEach(row => row.remove());
  await showKnown(JSON.stringify(advisories));
}

let known;

// Asks for the list only when it may be another one.
async function showKnown(summary) {
  if (summary === known) return;
  const { state, advisories, cves, error, data } = await call('api/security/cve?limit=500');
  known = summary;
  let words = `${number(cves)} known of ${number(advisories)} advisories.`;
  if (state === 'unknown') words = 'Not checked yet.';
  if (state === 'off') words = 'Not checked: no advisories. See postern help cve.';
  if (error) words += ` Not all could be read: ${visible(error)}`;
  if (data.length < cves) words += ` The first ${data.length}:`;
  $('cves-note').textContent = words;
  $('cves-table').hidden = !cves;
  $('cves').replaceChildren(...data.map(found => {
    const row = element('tr');
    const id = element('th', '', { scope: 'row' });
    id.append(about(found.id, found.link) || found.id);
    row.append(id, ...['severity', 'package', 'installed', 'fixed_in'].map(name => element('td', visible(found[name] ?? '–'))));
    return row;
  }));
}

function newRow(ip) {
  const row = element('tr');
  row.dataset.ip = ip;
  const action = element('td');
  const button = element('button', 'Clear', { type: 'button' });
  button.setAttribute('aria-label', `Clear ${ip}`);
  button.onclick = () => clear(ip);
  action.append(button);
  row.append(element('th', ip, { scope: 'row' }), element('td', '', { className: 'number' }), element('td'), action);
  return row;
}

async function clear(ip) {
  try {
    await call(`api/security/rate-limits/${encodeURIComponent(ip)}`, { method: 'DELETE' });
    $('locks-note').textContent = `${ip} may try again.`;
  } catch (refusal) {
    $('locks-note').textContent = refusal.words;
  }
  // The button is about to go, and the focus should not go with it.
  $('h-security').focus();
  await update().catch(() => {});
}

function showRules() {
  const text = $('new').value;
  RULES.forEach(([words, holds], index) => {
    const good = Boolean(holds(text));
    const item = $('rules').children[index];
    item.className = good ? 'kept' : '';
    item.replaceChildren(words, element('span', good ? ' (yes)' : ' (not yet)', { className: 'unseen' }));
  });
}

async function change() {
  const [current, next, again] = ['current', 'new', 'again'].map(id => $(id).value);
  const broken = RULES.find(([, holds]) => !holds(next));
  $('change-error').textContent = $('change-note').textContent = '';
  if (!current) return refuse('current', 'Please give the current password.');
  if (broken) return refuse('new', `The new password is refused: ${broken[0]}.`);
  if (next !== again) return refuse('again', 'The new password is not the same both times.');
  const button = $('change').querySelector('.primary');
  button.disabled = true;
  try {
    const renewed = await changePassword(current, next);
    enter();
    $('change-note').textContent = `The password is changed. All other sign-ins have ended${renewed ? '' : '; sign in again before long'}.`;
  } catch (refusal) {
    const wrong = refusal.message === "'current_password' is wrong";
    const wait = refusal.wait ? ` Try again in ${countdown(refusal.wait)}.` : '';
    refuse(wrong ? 'current' : 'new', wrong ? 'The current password is wrong.' : refusal.words + wait);
  } finally {
    button.disabled = false;
  }
}

function refuse(field, words) {
  $('change-error').textContent = words;
  $(field).focus();
}
