// Everything without a mouse, and told to whoever does not see it.

import { Server, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';

export default async function run(binary) {
  const server = await new Server(binary).start();
  server.append(Array.from({ length: 500 }, (_, n) => `line ${n}\n`).join(''));
  const context = await visitor();
  const page = await tab(context, server);
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  const press = async (...keys) => { for (const key of keys) await page.keyboard.press(key); };
  const activeText = () => page.$eval('#lines', lines => document.getElementById(lines.getAttribute('aria-activedescendant'))?.querySelector('.text').textContent);
  try {
    await signIn(page);
    await step('after the sign-in the focus is on the view, and the first stop is a link past the bar', async () => {
      equal(await focused(), 'h-overview');
      await page.reload();
      await page.waitForSelector('#bar', { state: 'visible' });
      await press('Tab');
      equal(await focused(), 'Skip to the content');
      await press('Enter');
      equal(await focused(), 'main');
      equal(await page.isVisible('#h-overview'), true, 'the view stays');
    });
    await step('the views are links, and the focus goes where they lead', async () => {
      await page.focus('nav a[href="#log"]');
      await press('Enter');
      await eventually('the log', async () => (await focused()) === 'h-log');
      equal(await page.getAttribute('nav a[href="#log"]', 'aria-current'), 'page');
      holds((await page.title()).startsWith('Log · '), await page.title());
      await page.waitForSelector('.row .text:text-is("line 499")');
    });
    await step('keys move through the entries, and the grid says where one is', async () => {
      await page.focus('#lines');
      await press('Home');
      await eventually('the first', async () => (await page.$eval('#lines', lines => lines.scrollTop)) === 0);
      await page.waitForSelector('[aria-selected=true][aria-rowindex="2"]');
      equal(await page.getAttribute('#follow', 'aria-pressed'), 'false', 'following');
      await press('ArrowDown', 'ArrowDown');
      await page.waitForSelector('[aria-selected=true][aria-rowindex="4"]');
      const before = await activeText();
      await press('PageDown', 'PageUp');
      await eventually('the same place', async () => (await activeText()) === before);
      await press('End');
      await eventually('the last', async () => (await activeText()) === 'line 499');
      equal(await page.getAttribute('#follow', 'aria-pressed'), 'true', 'following');
      const rows = Number(await page.getAttribute('#lines', 'aria-rowcount'));
      equal(await page.getAttribute('[aria-selected=true]', 'aria-rowindex'), String(rows), 'the last row');
    });
    await step('Enter shows an entry whole, the arrows go on, Escape closes it', async () => {
      await press('Enter');
      equal(await page.textContent('#entry-text'), 'line 499');
      await press('ArrowUp');
      await page.waitForSelector('#entry-text:text-is("line 498")');
      await page.focus('#entry-copy');
      await press('Escape');
      equal(await page.isVisible('#entry'), false, 'the entry');
      equal(await focused(), 'lines');
    });
    await step('a slash goes to the search', async () => {
      await press('/');
      equal(await focused(), 'search');
      equal(await page.inputValue('#search'), '');
    });
  } finally {
    await context.close();
    await server.remove();
  }
}
