// Health, figures and plots. It asks every few seconds, and only while somebody can see it.

import { $, about, bytes, duration, element, facts, number, visible } from './dom.js';
import { call } from './session.js';

const WINDOW = 10 * 60_000; // ms that a plot shows at most
const SHORTEST = 60_000; // ms that it shows at least
const PERIOD = 5_000; // ms between two questions
const MAX_SAMPLES = WINDOW / PERIOD + 2;
const SVG = 'http://www.w3.org/2000/svg';
const CLOCK = { followed: 'the system’s', held: 'leapt ahead' };

// Values over the last minutes, as one line with an area below it.
class Plot {
  #samples = [];
  #card;
  #value = element('p', '–', { className: 'value' });
  #more = element('p', '', { className: 'hint' });
  #svg = document.createElementNS(SVG, 'svg');
  #since = element('span');
  #top = element('span');

  constructor(card, name, top, words) {
    this.#card = card;
    this.name = name;
    this.top = top;
    this.words = words;
    this.#svg.setAttribute('viewBox', '0 0 600 100');
    this.#svg.setAttribute('preserveAspectRatio', 'none');
    this.#svg.setAttribute('role', 'img');
    for (const className of ['area', 'line']) {
      const path = document.createElementNS(SVG, 'path');
      path.setAttribute('class', className);
      this.#svg.append(path);
    }
    const figure = element('div', undefined, { className: 'figure' });
    const axis = element('p', undefined, { className: 'axis', ariaHidden: 'true' });
    axis.append(this.#since, this.#top, element('span', 'now'));
    figure.append(this.#svg, axis);
    card.append(this.#value, this.#more, figure);
  }

  clear() {
    this.#samples = [];
  }

  add(time, value, more) {
    this.#card.hidden = false;
    this.#samples.push({ time, value });
    while (this.#samples.length > MAX_SAMPLES || this.#samples[0].time < time - WINDOW) this.#samples.shift();
    const most = Math.max(...this.#samples.map(sample => sample.value));
    const top = this.top ?? Math.max(1, most) * 1.15;
    const span = Math.max(SHORTEST, time - this.#samples[0].time);
    let path = '';
    let area = '';
    let start = 0;
    let last = -Infinity;
    let x = 0;
    for (const sample of this.#samples) {
      x = (600 - (time - sample.time) / span * 600).toFixed(1);
      const y = (97 - sample.value / top * 94).toFixed(1);
      // Where nothing was asked (a hidden page, no connection), nothing is drawn.
      if (sample.time - last > PERIOD * 3) {
        if (area) area += `V100H${start}Z`;
        start = x;
        path += `M${x} ${y}h0`;
        area += `M${x} ${y}`;
      } else {
        path += `L${x} ${y}`;
        area += `L${x} ${y}`;
      }
      last = sample.time;
    }
    const [areaPath, linePath] = this.#svg.children;
    areaPath.setAttribute('d', `${area}V100H${start}Z`);
    linePath.setAttribute('d', path);
    this.#since.textContent = `${duration(span / 1000)} ago`;
    this.#value.textContent = this.words(value);
    this.#more.textContent = more;
    this.#top.textContent = `highest ${this.words(most)}`;
    this.#svg.setAttribute('aria-label',
      `${this.name} over the last ${duration(span / 1000)}: now ${this.words(value)}, at most ${this.words(most)}`);
  }

  hide() {
    this.#card.hidden = true;
  }
}

const perSecond = value => `${value < 10 ? +value.toFixed(1) : number(Math.round(value))} / s`;
const plots = {};
let before = null;

export function begin() {
  plots.load = new Plot($('card-load'), 'Load', undefined, value => value.toFixed(2));
  plots.memory = new Plot($('card-memory'), 'Memory in use', 1, value => `${Math.round(value * 100)} %`);
  plots.rate = new Plot($('card-rate'), 'Log lines', undefined, perSecond);
}

export function reset() {
  before = null;
  Object.values(plots).forEach(plot => plot.clear());
}

// Asks once and shows it. Gives the status back, for what else depends on it.
export async function update() {
  const [status, health] = await Promise.all([call('api/status'), call('api/health')]);
  showHealth(health, status.logs.warning);
  showPlots(status);
  facts($('device'), [
    ['Name', status.hostname],
    ['Board', status.model],
    ['Running for', status.system_uptime_seconds && duration(status.system_uptime_seconds)],
    ['Temperature', status.temperature_celsius && `${status.temperature_celsius.toFixed(1)} °C`],
    ['Power', status.power && power(status.power)],
  ]);
  facts($('server'), [
    ['Version', status.version],
    ['Running for', duration(status.uptime_seconds)],
    ['Memory', status.memory?.resident_bytes && bytes(status.memory.resident_bytes)],
    ['Certificate', status.certificate && `until ${new Date(status.certificate.expires).toLocaleDateString([], { dateStyle: 'medium' })}`],
    ['Connections', number(status.connections)],
    ['Log readers', number(status.subscribers)],
  ]);
  const { disk, journal, clock } = status;
  facts($('storage'), [
    ['Disk', disk && `${bytes(disk.available_bytes)} free of ${bytes(disk.total_bytes)}`],
    ['Journal', `${number(journal.records)} records, ${bytes(journal.bytes)}${journal.writable ? '' : ', cannot be written'}`],
    ['Time', new Date(status.time).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium' })],
    ['Clock', (CLOCK[clock.state] ?? clock.state) + (clock.believed ? '' : ', not believed') + (clock.synchronised === false ? ', not synchronised' : '')],
    ['Ahead by', clock.leap_seconds && duration(clock.leap_seconds)],
    ['Behind by', clock.behind_seconds && duration(clock.behind_seconds)],
  ]);
  showSources(status.logs.sources);
  return status;
}

// A Raspberry Pi's complaints, now and since it was switched on.
function power(flags) {
  const holding = all => Object.keys(all ?? {}).filter(name => all[name] === true).map(name => name.replaceAll('_', ' ')).join(', ');
  const earlier = holding(flags.since_boot);
  return (holding(flags) || 'good') + (earlier && ` (since boot: ${earlier})`);
}

function showHealth(health, warning) {
  const lines = [];
  const degraded = health.status !== 'healthy';
  if (degraded) lines.push(['bad', `Degraded: ${(health.reasons ?? [health.status]).join('; ')}.`]);
  else lines.push(['good', 'Healthy']);
  const { cves, update_available: news, update_version: version, update_url: url } = health;
  if (cves) lines.push(['bad', `Known vulnerabilities that apply to this device: ${number(cves)}.`, '#security']);
  if (warning) lines.push(['note', warning]);
  if (news) lines.push(['note', version ? `Version ${version} is available.` : 'An update is available.', url]);
  const text = JSON.stringify(lines);
  // A screen reader reads it out when it changes, and only then.
  if ($('health').dataset.text === text) return;
  $('health').dataset.text = text;
  $('health').replaceChildren(...lines.map(([kind, words, link]) => {
    const line = element('p', words, { className: `banner ${kind}` });
    line.append(' ', about('Details', link));
    return line;
  }));
}

function showPlots({ load, memory, logs }) {
  const time = Date.now();
  if (load) plots.load.add(time, load[0], `${load[1].toFixed(2)} over 5 min, ${load[2].toFixed(2)} over 15 min`);
  else plots.load.hide();
  if (memory) {
    const used = memory.total_bytes - memory.available_bytes;
    plots.memory.add(time, used / memory.total_bytes, `${bytes(used)} of ${bytes(memory.total_bytes)}`);
  } else plots.memory.hide();
  const { boot, newest, entries } = logs;
  if (before?.boot === boot && time > before.time) {
    plots.rate.add(time, (newest - before.newest) * 1000 / (time - before.time), `${number(entries)} since postern started`);
  }
  before = { boot, newest, time };
}

function showSources(sources) {
  $('sources').replaceChildren(...sources.map(source => {
    const row = element('tr');
    const state = element('td', source.state);
    if (source.error) state.append(element('span', visible(source.error), { className: 'error' }));
    row.append(element('th', source.name, { scope: 'row' }), element('td', visible(source.place), { className: 'long' }), state,
      element('td', number(source.entries), { className: 'number' }));
    return row;
  }));
}
