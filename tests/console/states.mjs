// The four main states, light and dark, at a desk and on a phone: what they look like, and that nobody is kept out.

import { DESK, PHONE, Server, accessible, equal, expecting, shot, signIn, step, tab, visitor } from './harness.mjs';

const LINES = [
  ['dnsmasq', 'DHCPACK(eth0) 192.168.1.37 b8:27:eb:3f:10:9c sensor-3'],
  ['kernel', 'mmc0: Timeout waiting for hardware interrupt', 'warn'],
  ['sshd', 'Accepted publickey for root from 192.168.1.4 port 51422 ssh2'],
  ['modem', 'registered, home network, RSSI -67 dBm'],
  ['mqtt', 'connection to broker.local lost: no route to host', 'error'],
  ['mqtt', 'trying again in 8 s'],
  ['ntpd', 'offset -0.000412 s, stratum 3, server 192.168.1.1'],
  ['updater', 'checked: nothing new'],
];

export default async function run(binary) {
  const server = await new Server(binary).start();
  const fill = rounds => {
    for (let round = 0; round < rounds; round++) {
      for (const [program, text] of LINES) server.append(`${program}[${400 + round}]: ${text}\n`);
    }
  };
  fill(6);
  for (const [device, viewport] of [['desk', DESK], ['phone', PHONE]]) {
    for (const colorScheme of ['light', 'dark']) {
      const context = await visitor({ viewport, colorScheme, hasTouch: device === 'phone', deviceScaleFactor: device === 'phone' ? 2 : 1 });
      const page = await tab(context, server);
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
        // A plot needs a few samples; the page's own clock is not waited for.
        for (let sample = 0; sample < 24; sample++) {
          await page.evaluate(async () => { await (await import('/console/overview.js')).update(); });
          if (sample % 3 === 0) fill(1);
          await page.waitForTimeout(120);
        }
        await fits();
        await accessible(page);
        await shot(page, `overview-${name}`);
      });
      await step(`${name}: log`, async () => {
        await page.click('nav a[href="#log"]');
        await page.waitForSelector('#stream[data-state=live]');
        await page.waitForSelector('.row[data-n] .text');
        await page.fill('#search', 'net');
        await page.waitForSelector('mark');
        await accessible(page);
        await page.fill('#search', '');
        await page.focus('#lines');
        for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'Enter']) await page.keyboard.press(key);
        await page.waitForSelector('#entry', { state: 'visible' });
        await fits();
        await accessible(page);
        await shot(page, `log-${name}`);
        await page.keyboard.press('Escape');
        equal(await page.isVisible('#entry'), false, 'the entry');
      });
      expecting(/status of 401/);
      await step(`${name}: security`, async () => {
        await page.evaluate(() => fetch('/api/auth/login', { method: 'POST', credentials: 'omit', body: '{"username":"admin","password":"no"}' }));
        await page.click('nav a[href="#security"]');
        await page.waitForSelector('#locks tr');
        await page.fill('#new', 'longenough');
        await fits();
        await accessible(page);
        await shot(page, `security-${name}`);
      });
      expecting();
      await context.close();
    }
  }
  await server.remove();
}
