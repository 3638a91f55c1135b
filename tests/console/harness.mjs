// What the parts stand on: a server in a temporary folder, a browser, bounded waits, and the count of what passed.

import { spawn } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const require = createRequire(join(process.env.MODULES, 'package.json'));
const { chromium } = require('playwright-core');
const axe = require('axe-core').source;

export const PASSWORD = 'correct horse battery';
export const PATIENCE = 20_000; // ms for what should come at once

const STEP = 90_000; // ms for one step

export const tally = { passed: 0, failed: 0 };

// One step: it passes if nothing was thrown, and if no page complained of anything but what it `expects`. Chromium reports
// every failed request as an error of the page, so a step says which it is about to cause.
export async function step(name, action, ...expects) {
  expected = expects;
  try {
    // A browser that shows a dialogue waits for ever.
    await Promise.race([action(), new Promise((_, fail) => setTimeout(fail, STEP, new Error('the step did not end')).unref())]);
    const said = complaints.splice(0);
    if (said.length) throw new Error(`the page complained: ${said.join(' | ')}`);
    tally.passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    tally.failed++;
    console.log(`FAILED ${name}: ${error.stack.split('\n').slice(0, 6).join('\n     ')}`);
    complaints.length = 0;
  } finally {
    expected = [];
  }
}

export function equal(found, expected, what = 'value') {
  if (found !== expected) throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`);
}

export function holds(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}

export async function eventually(what, condition, patience = PATIENCE) {
  const deadline = Date.now() + patience;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
    await new Promise(resolve => setTimeout(resolve, 30));
  }
}

// A server on the loopback address, with nothing else in its environment. A restart keeps its port and its state.
export class Server {
  constructor(binary, variables = {}) {
    this.binary = binary;
    this.folder = mkdtempSync(join(tmpdir(), 'console-'));
    this.log = join(this.folder, 'board.log');
    writeFileSync(this.log, '');
    this.variables = {
      PATH: process.env.PATH,
      LISTEN: '127.0.0.1:0',
      STATE_DIR: join(this.folder, 'state'),
      LOG_SOURCES: `file:${this.log}`,
      BASIC_AUTH_PASSWORD: PASSWORD,
      BCRYPT_COST: '4',
      ...variables,
    };
  }

  async start() {
    const child = spawn(this.binary, ['--env-file', '/dev/null'], { env: this.variables, stdio: ['ignore', 'pipe', 'ignore'] });
    this.child = child;
    let banner = '';
    child.stdout.on('data', data => { banner += data; });
    await eventually('the banner', () => /https:\/\/127\.0\.0\.1:\d+/.test(banner) && /is ready/.test(banner));
    this.url = banner.match(/https:\/\/127\.0\.0\.1:\d+/)[0];
    this.variables.LISTEN = this.url.slice('https://'.length);
    return this;
  }

  append(text) {
    appendFileSync(this.log, text);
  }

  async end(signal = 'SIGTERM') {
    const { child } = this;
    if (!child || child.exitCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async remove() {
    await this.end('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}

let browser;

export async function openBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  return browser.version();
}

export const closeBrowser = () => browser?.close();

export const DESK = { width: 1280, height: 800 };
export const PHONE = { width: 360, height: 740 };

const complaints = [];
let expected = [];

function complain(text) {
  if (!expected.some(pattern => pattern.test(text))) complaints.push(text);
}

// A fresh profile: nothing stored, nothing signed in.
export async function visitor(options = {}) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: DESK, reducedMotion: 'reduce', ...options });
  context.setDefaultTimeout(PATIENCE);
  await context.exposeFunction('violated', text => complaints.push(`CSP: ${text}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', event =>
      window.violated(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return context;
}

export async function tab(context, server, prepare = async () => {}) {
  const page = await context.newPage();
  page.on('console', message => ['error', 'warning'].includes(message.type()) && complain(message.text()));
  page.on('pageerror', error => complain(`uncaught: ${error.stack}`));
  await prepare(page);
  await page.goto(server.url);
  return page;
}

export async function signIn(page, password = PASSWORD) {
  await page.fill('#password', password);
  await page.click('#sign-in .primary');
  await page.waitForSelector('#bar', { state: 'visible' });
}

// Whether nobody is kept out: no serious or critical finding.
export async function accessible(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const text = grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(node => `${node.html.slice(0, 120)} ${node.failureSummary}`).join('; ')}`);
  if (text.length) throw new Error(text.join('\n     '));
}

export const shot = (page, name) => page.screenshot({ path: join(process.env.SCREENS, `${name}.png`) });
