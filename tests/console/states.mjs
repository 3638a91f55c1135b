// The four main states, light and dark, at a desk and on a phone: what they look like, and that nobody is kept out.

import { DESK, PHONE, Server, accessible, equal, shot, signIn, step, tab, visitor } from './harness.mjs';

// What a small board may have to say: source, level, message.
const LINES = [
  ['dnsmasq', 'info', 'DHCPACK(eth0) 192.168.1.37 b8:27:eb:3f:10:9c sensor-3'],
  ['kernel', 'warn', 'mmc0: Timeout waiting for hardware interrupt.'],
  ['sshd', 'info', 'Accepted publickey for root from 192.168.1.4 port 51422 ssh2'],
  ['modem', 'debug', 'registered, home network, RSSI -67 dBm'],
  ['mqtt', 'error', 'connection to broker.local:8883 lost: no route to host'],
  ['mqtt', 'info', 'trying again in 8 s'],
  ['ntpd', 'notice', 'offset -0.000412 s, stratum 3, server 192.168.1.1'],
  ['squid', 'info', 'CONNECT deb.example.org:443 200 from 192.168.1.52'],
];

const SUMMARY = { state: 'current', advisories: 21_480, packages: 312, cves: 3, severities: { critical: 1, medium: 1, unknown: 1 } };
const KNOWN = [
  { id: 'DSA-5417-1', severity: 'critical', ecosystem: 'Debian:12', package: 'openssl', installed: '3.0.9-1', fixed_in: '3.0.11-1~deb12u2', link: 'https://www.debian.org/security/2023/dsa-5417' },
  { id: 'CVE-2023-45853', severity: 'medium', ecosystem: 'Debian:12', package: 'zlib', installed: '1:1.2.13.dfsg-1', link: 'https://osv.dev/vulnerability/CVE-2023-45853' },
  { id: 'RUSTSEC-2026-0001', severity: 'unknown', ecosystem: 'crates.io', package: 'time', installed: '0.3.1', fixed_in: '0.3.2', link: 'https://rustsec.org/advisories/RUSTSEC-2026-0001' },
];

// The board's figures, made up, since those of the machine that runs this are its own business and differ each time.
function pretend(status, minute) {
  const wave = Math.sin(minute * 1.3) + Math.sin(minute * 3.1) / 2;
  const newest = Math.round(481_200 + minute * 200 + 120 * Math.sin(minute * 2));
  return {
    ...status,
    hostname: 'shed',
    model: 'Raspberry Pi Zero 2 W Rev 1.0',
    uptime_seconds: 1_036_800 + minute * 60,
    system_uptime_seconds: 1_036_815 + minute * 60,
    load: [0.42 + wave * 0.18, 0.38, 0.31],
    memory: { total_bytes: 436_000_000, available_bytes: 272_000_000 - wave * 9_000_000, resident_bytes: 5_600_000 },
    temperature_celsius: 47.2,
    connections: 3,
    disk: { total_bytes: 15_400_000_000, available_bytes: 11_900_000_000 },
    journal: { bytes: 18_432, records: 312, writable: true },
    advisories: SUMMARY,
    logs: {
      boot: 'b',
      newest,
      entries: newest,
      sources: [
        { name: 'journald', kind: 'journald', place: 'journald', state: 'following', entries: 402_118 },
        { name: 'kmsg', kind: 'kmsg', place: 'kmsg', state: 'following', entries: 1_204 },
        { name: 'squid', kind: 'file', place: 'file:/var/log/squid/access.log', state: 'waiting for the file', entries: 77_878 },
      ],
    },
  };
}

async function dress(page) {
  let minute = 0;
  await page.route('**/api/status', async route => {
    const response = await route.fetch();
    await route.fulfill({ response, json: pretend(await response.json(), minute) });
    minute += 1 / 6;
  });
  await page.route('**/api/security/cve*', route => route.fulfill({ json: { status: 'success', ...SUMMARY, data: KNOWN } }));
  await page.routeWebSocket('**/api/ws/logs*', socket => {
    socket.connectToServer().onMessage(text => {
      const message = JSON.parse(text);
      if (message.source === 'board') [message.source, message.level, message.message] = message.message.split('|');
      socket.send(JSON.stringify(message));
    });
  });
}

// The words in tables that stand on more than one line. A path or an address may: it is longer than a phone is wide.
const broken = page => page.$$eval('section:not([hidden]) :is(th, td)', cells => cells.flatMap(cell => {
  const found = [];
  const walk = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const { currentNode: node } = walk;
    for (const { 0: word, index } of node.data.matchAll(/\S+/g)) {
      const range = document.createRange();
      range.setStart(node, index);
      range.setEnd(node, index + word.length);
      if (!/[/:]/.test(word) && new Set([...range.getClientRects()].map(box => box.top)).size > 1) found.push(word);
    }
  }
  return found;
}).join(' '));

export default async function run(binary) {
  const server = await new Server(binary, { RATE_LIMIT_RPS: '1000', RATE_LIMIT_BURST: '100000' }).start();
  const fill = rounds => {
    for (let round = 0; round < rounds; round++) {
      server.append(LINES.map(line => `${line.join('|')}\n`).join(''));
    }
  };
  fill(6);
  for (const [device, viewport] of [['desk', DESK], ['phone', PHONE]]) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await visitor({ viewport, colorScheme, hasTouch: device === 'phone', deviceScaleFactor: device === 'phone' ? 2 : 1 });
      const page = await tab(context, server, dress);
      const name = `${device}-${colorScheme}`;
      const fits = async () => equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true, 'fits the width');
      await step(`${name}: sign-in`, async () => {
        await page.waitForSelector('#sign-in', { state: 'visible' });
        await fits();
        await accessible(page);
        await shot(page, `sign-in-${name}`);
      });
      await signIn(page);
      await step(`${name}: overview`, async () => {
        await page.waitForSelector('#sources td');
        equal(await broken(page), '', 'words broken in a table');
        // Ten minutes of samples, on a clock that the page takes for the time.
        await page.evaluate(async () => {
          const { reset, update } = await import('/console/overview.js');
          reset();
          const { now } = Date;
          const start = now();
          for (let second = 0; second <= 600; second += 10) {
            Date.now = () => start + second * 1000;
            await update();
          }
          Date.now = now;
        });
        await fits();
        await accessible(page);
        await shot(page, `overview-${name}`);
      });
      await step(`${name}: a clock that nobody keeps set`, async () => {
        const nobody = { state: 'followed', believed: false, synchronised: false };
        await page.route('**/api/status', async route => {
          const response = await route.fetch();
          await route.fulfill({ response, json: { ...await response.json(), clock: nobody } });
        }, { times: 1 });
        await page.evaluate(async () => (await import('/console/overview.js')).update());
        await page.waitForFunction(() => document.querySelector('#storage').textContent.includes('the system’s, not believed, not synchronised'));
      });
      await step(`${name}: log`, async () => {
        await page.click('nav a[href="#log"]');
        await page.waitForSelector('#stream[data-state=live]');
        await page.waitForSelector('.row[data-n] .text');
        await page.fill('#search', 'net');
        await page.waitForSelector('mark');
        await accessible(page);
        await page.fill('#search', '');
        // The list is filled anew a bit at a time: keys move through what is there.
        await page.waitForSelector('mark', { state: 'detached' });
        await page.waitForSelector('.row[data-n] .text');
        await page.focus('#lines');
        for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'Enter']) await page.keyboard.press(key);
        await page.waitForSelector('#entry', { state: 'visible' });
        await fits();
        await accessible(page);
        await shot(page, `log-${name}`);
        await page.keyboard.press('Escape');
        equal(await page.isVisible('#entry'), false, 'the entry');
      });
      await step(`${name}: security`, async () => {
        await page.evaluate(() => fetch('/api/auth/login', { method: 'POST', credentials: 'omit', body: '{"username":"admin","password":"no"}' }));
        await page.click('nav a[href="#security"]');
        await page.waitForSelector('#locks tr');
        await page.waitForSelector('#cves tr');
        equal(await broken(page), '', 'words broken in a table');
        await page.fill('#new', 'longenough');
        await fits();
        await accessible(page);
        await shot(page, `security-${name}`);
      }, /status of 401/);
      await context.close();
    }
  }
  await server.remove();
}
