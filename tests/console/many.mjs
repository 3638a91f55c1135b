// A hundred thousand entries: rows stay few, and nothing holds the page up. The figures are printed, not judged: a busy
// machine is no broken page.

import { Server, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';

const LINES = 100_000;

export default async function run(binary) {
  const server = await new Server(binary, { LOG_BUFFER_BYTES: String(64 * 1024 * 1024) }).start();
  for (let from = 0; from < LINES; from += 10_000) {
    server.append(Array.from({ length: 10_000 }, (_, n) => `entry ${from + n} of a log that is long enough to be a burden on whoever shows it\n`).join(''));
  }
  const context = await visitor();
  const page = await tab(context, server);
  const watch = () => page.evaluate(() => {
    window.longest = 0;
    window.observer ??= new PerformanceObserver(list => {
      for (const { duration } of list.getEntries()) window.longest = Math.max(window.longest, duration);
    });
    window.observer.observe({ type: 'longtask' });
  });
  const longest = () => page.evaluate(() => new Promise(resolve => setTimeout(() => resolve(Math.round(window.longest)), 300)));
  const rows = () => page.$$eval('.row', found => found.length);
  try {
    await signIn(page);
    await step('all of them arrive, and few rows exist', async () => {
      await page.click('nav a[href="#log"]');
      await watch();
      const begun = Date.now();
      await eventually('the last', () => page.$$eval('.row[data-n] .text', (cells, last) => cells.some(cell => cell.textContent.startsWith(`entry ${last} `)), LINES - 1), 60_000);
      const few = await rows();
      console.log(`     loaded in ${Date.now() - begun} ms, longest task ${await longest()} ms, ${few} rows, ${await page.textContent('#count')}`);
      holds(few < 300, `${few} rows`);
    });
    await step('scrolling through all of it', async () => {
      await watch();
      const most = await page.evaluate(() => new Promise(resolve => {
        const lines = document.getElementById('lines');
        let frames = 0;
        let most = 0;
        const turn = () => {
          lines.scrollTop = lines.scrollHeight * Math.abs(Math.sin(frames / 40));
          most = Math.max(most, document.querySelectorAll('.row').length);
          if (++frames < 240) requestAnimationFrame(turn);
          else resolve(most);
        };
        turn();
      }));
      console.log(`     240 frames, longest task ${await longest()} ms, at most ${most} rows`);
      holds(most < 300, `${most} rows`);
    });
    await step('searching in all of it', async () => {
      await watch();
      const begun = Date.now();
      await page.fill('#search', 'entry 99999 ');
      await eventually('the one', async () => (await page.textContent('#count')).startsWith('1 of '));
      console.log(`     found in ${Date.now() - begun} ms, longest task ${await longest()} ms`);
      await page.fill('#search', '');
    });
    await step('more come, the oldest go, and what is read stays in its place', async () => {
      await eventually('all again', async () => !(await page.textContent('#count')).includes(' of '));
      await page.focus('#lines');
      await page.keyboard.press('End');
      for (let n = 0; n < 5; n++) await page.keyboard.press('PageUp');
      const read = () => page.$eval('[aria-selected=true]', row => `${row.querySelector('.text').textContent} ${Math.round(row.getBoundingClientRect().top)}`);
      await page.waitForTimeout(200);
      const before = await read();
      server.append(Array.from({ length: 5_000 }, (_, n) => `more ${n}\n`).join(''));
      await page.waitForTimeout(1500);
      const held = await page.textContent('#count');
      holds(held.startsWith('100,000 lines'), held);
      const after = await read();
      holds(before === after, `${before} became ${after}`);
      holds((await rows()) < 300, 'few rows');
    });
  } finally {
    await context.close();
    await server.remove();
  }
}
