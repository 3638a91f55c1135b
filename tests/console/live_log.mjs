// The live log, while a file is appended to: arriving, filters, search, pause, follow, copy and download, gaps.

import { readFileSync } from 'node:fs';

import { Server, accessible, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';

export const texts = page => page.$$eval('.row[data-n]:not([hidden]) .text', cells => cells.map(cell => cell.textContent));
export const count = page => page.textContent('#count');

export default async function run(binary) {
  const server = await new Server(binary, { RATE_LIMIT_RPS: '1000', RATE_LIMIT_BURST: '10000' }).start();
  const context = await visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  server.append('before the page came\n');
  const page = await tab(context, server);
  const shows = text => eventually(text, async () => (await texts(page)).includes(text));
  try {
    await signIn(page);
    await step('what the ring held before is there', async () => {
      await page.click('nav a[href="#log"]');
      await page.waitForSelector('#stream[data-state=live]');
      await shows('before the page came');
    });
    await step('lines arrive as the file grows, once and in order', async () => {
      for (let n = 1; n <= 30; n++) {
        server.append(`line ${n}\n`);
        if (n % 10 === 0) await shows(`line ${n}`);
      }
      const lines = (await texts(page)).filter(text => text.startsWith('line '));
      equal(lines.join(), Array.from(lines, (_, index) => `line ${31 - lines.length + index}`).join(), 'lines');
      await accessible(page);
    });
    await step('the end is followed until one scrolls up, and again at the end', async () => {
      server.append(Array.from({ length: 200 }, (_, n) => `filler ${n}\n`).join(''));
      await shows('filler 199');
      await page.hover('#lines');
      await page.mouse.wheel(0, -1500);
      await page.waitForSelector('#follow[aria-pressed=false]');
      const top = await page.$eval('#lines', lines => lines.scrollTop);
      server.append('not looked at\n');
      await eventually('the line', async () => (await count(page)).startsWith('23'));
      await page.waitForTimeout(200);
      equal(await page.$eval('#lines', lines => lines.scrollTop), top, 'the place that is read');
      await page.click('#follow');
      await shows('not looked at');
      equal(await page.getAttribute('#follow', 'aria-pressed'), 'true');
    });
    await step('a search shows what has it, marked, whatever its case', async () => {
      server.append('Needle in a haystack\n');
      await page.fill('#search', 'nEEdle');
      await shows('Needle in a haystack');
      await eventually('the others gone', async () => (await texts(page)).length === 1);
      equal(await page.textContent('mark'), 'Needle');
      holds(/^1 of 23\d lines$/.test(await count(page)), await count(page));
      server.append('another needle\nno match\n');
      await shows('another needle');
      equal((await texts(page)).join(), 'Needle in a haystack,another needle');
      await page.fill('#search', '.*');
      await eventually('nothing', async () => (await texts(page)).length === 0);
      await page.fill('#search', '');
      await shows('no match');
    });
    await step('sources and levels filter', async () => {
      // postern's own events have other levels: a refused password is a warning.
      await page.evaluate(() => fetch('/api/auth/login', { method: 'POST', credentials: 'omit', body: '{"username":"admin","password":"no"}' }));
      await page.waitForSelector('#source option[value=postern]', { state: 'attached' });
      await page.selectOption('#source', 'postern');
      await eventually('postern alone', async () =>
        (await page.$$eval('.row[data-n]:not([hidden]) .from', cells => cells.map(cell => cell.textContent))).every(from => from === 'postern'));
      await page.selectOption('#level', { label: 'warn and above' });
      await eventually('the warning alone', async () =>
        (await page.$$eval('.row[data-n]:not([hidden]) .level', cells => cells.map(cell => cell.textContent))).join() === 'warn');
      await page.selectOption('#level', { label: 'All levels' });
      await page.selectOption('#source', '');
    }, /status of 401/);
    await step('a pause holds the list still and counts what comes', async () => {
      await page.click('#pause');
      server.append('while paused 1\nwhile paused 2\n');
      await eventually('the count', async () => (await count(page)).endsWith('paused, 2 new'));
      holds(!(await texts(page)).includes('while paused 1'), 'nothing moves');
      equal(await page.textContent('#pause'), 'Resume');
      await accessible(page);
      await page.click('#pause');
      await shows('while paused 2');
    });
    await step('copy and download give the lines that are shown', async () => {
      await page.fill('#search', 'needle');
      await eventually('the two', async () => (await texts(page)).length === 2);
      await page.click('#copy');
      await page.waitForSelector('#log-note:has-text("2 lines copied.")');
      const copied = await page.evaluate(() => navigator.clipboard.readText());
      holds(/^20\S+Z board info Needle in a haystack\n20\S+Z board info another needle\n$/.test(copied), copied);
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
      equal(readFileSync(await download.path(), 'utf8'), copied, 'the file');
      holds(/\.log$/.test(download.suggestedFilename()), download.suggestedFilename());
      await page.fill('#search', '');
    });
    await step('an entry is shown whole, and copied', async () => {
      const long = `a long one ${'x'.repeat(3000)} end`;
      server.append(`${long}\n`);
      await page.click('.row .text:text("a long one")');
      equal(await page.textContent('#entry-text'), long);
      await page.click('#entry-copy');
      await page.waitForSelector('#log-note:has-text("Entry copied.")');
      holds((await page.evaluate(() => navigator.clipboard.readText())).endsWith(long), 'the clipboard has it');
      await page.click('#entry-close');
      equal(await page.isVisible('#entry'), false, 'the entry');
    });
  } finally {
    await context.close();
    await server.remove();
  }
  // A ring too small for what comes: entries that it no longer has are told, not hidden.
  const small = await new Server(binary, { LOG_BUFFER_BYTES: '65536' }).start();
  const other = await visitor();
  try {
    const page = await tab(other, small);
    await signIn(page);
    await page.click('nav a[href="#log"]');
    await page.waitForSelector('#stream[data-state=live]');
    await step('a gap is a row of its own', async () => {
      small.append(Array.from({ length: 5000 }, (_, n) => `flood ${n} ${'-'.repeat(80)}\n`).join(''));
      await page.waitForSelector('.row .text:text("flood 4999")');
      // A reload asks for everything since the beginning, and the ring no longer has it.
      await page.reload();
      await page.waitForSelector('.row .text:text("flood 4999")');
      await page.focus('#lines');
      await page.keyboard.press('Home');
      const gap = await page.waitForSelector('[data-kind=gap]:not([hidden])');
      holds(/^[\d,]+ lines are missing here \(1 to \d+\)$/.test(await (await gap.$('.text')).textContent()), await gap.textContent());
      await accessible(page);
    });
  } finally {
    await other.close();
    await small.remove();
  }
}
