// Whatever a line of the log holds, it is shown as text and changes nothing around it.

import { readFileSync } from 'node:fs';

import { Server, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';
import { texts } from './live_log.mjs';

const LINES = {
  '<script>window.owned = 1</script>': '<script>window.owned = 1</script>',
  '<img src=x onerror="window.owned = 2">': '<img src=x onerror="window.owned = 2">',
  '"><svg/onload=window.owned=3>': '"><svg/onload=window.owned=3>',
  '\u001b[31mred\u001b[0m \u0007bell \u0000nul': '␛[31mred␛[0m ␇bell ␀nul',
  'user \u202egnp.exe\u2066 end': 'user ‹202e›gnp.exe‹2066› end',
  'zero\u200bwidth\ufeff': 'zero‹200b›width‹feff›',
  'شكرا עברית 👩‍🔧 ok': 'شكرا עברית 👩‍🔧 ok',
  '$& ${7*7} {{7*7}} %s \\u0041': '$& ${7*7} {{7*7}} %s \\u0041',
};

export default async function run(binary) {
  const server = await new Server(binary).start();
  const context = await visitor({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await tab(context, server);
  try {
    await signIn(page);
    await page.click('nav a[href="#log"]');
    await page.waitForSelector('#stream[data-state=live]');
    await step('markup, control and direction characters are shown, and do nothing', async () => {
      server.append(Object.keys(LINES).join('\n') + '\nlast\n');
      await page.waitForSelector('.row .text:text-is("last")');
      const found = await texts(page);
      for (const shown of Object.values(LINES)) holds(found.includes(shown), `${shown} among ${JSON.stringify(found)}`);
      equal(await page.evaluate(() => window.owned), undefined, 'what a line did');
      equal(await page.$$eval('#rows img, #rows script, #rows svg', found => found.length), 0, 'elements made of lines');
    });
    await step('what is copied or saved drives no terminal either', async () => {
      await page.fill('#search', 'red');
      await eventually('the one', async () => (await texts(page)).length === 1);
      const clean = /^20\S+Z board info ␛\[31mred␛\[0m ␇bell ␀nul\n?$/;
      const copied = () => page.evaluate(() => navigator.clipboard.readText());
      await page.click('#copy');
      await page.waitForSelector('#log-note:has-text("1 lines copied.")');
      holds(clean.test(await copied()), `the copy ${JSON.stringify(await copied())}`);
      const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
      const saved = readFileSync(await download.path(), 'utf8');
      holds(clean.test(saved), `the file ${JSON.stringify(saved)}`);
      await page.click('.row .text');
      await page.click('#entry-copy');
      await page.waitForSelector('#log-note:has-text("Entry copied.")');
      holds(clean.test(await copied()), `the entry ${JSON.stringify(await copied())}`);
      await page.click('#entry-close');
      await page.fill('#search', '');
    });
    await step('a search for such a line marks it, and is no pattern', async () => {
      await page.fill('#search', '<img');
      await page.waitForSelector('mark:text-is("<img")');
      await page.fill('#search', '(\\');
      await eventually('no match', async () => (await texts(page)).length === 0);
      await page.fill('#search', '\ud800');
      await page.fill('#search', '');
    });
    await step('a line of 64 KiB takes no longer than others, and is there whole', async () => {
      const long = `big ${'<b>&amp;'.repeat(8000)}`;
      for (let n = 0; n < 50; n++) server.append(`${long} ${n}\n`);
      server.append('after\n');
      await page.waitForSelector('.row .text:text-is("after")');
      const longest = Math.max(...(await texts(page)).map(text => text.length));
      holds(longest < 1000, `a row has ${longest} characters`);
      await page.fill('#search', '&amp; 49');
      await page.waitForSelector('mark:text-is("&amp; 49")');
      await page.click('.row mark');
      equal(await page.textContent('#entry-text'), `${long} 49`);
    });
    await step('lone surrogates and odd messages on the stream do not stop it', async () => {
      await page.evaluate(async () => {
        const { Store, View } = await import('/console/feed.js');
        const store = new Store();
        const view = new View(store);
        store.push({ type: 'log', seq: 1, level: 'odd', message: '\ud800x\udfff', fields: { deep: { a: [1] }, n: null } });
        store.push({ type: 'log', seq: 2 });
        store.push({ type: 'gap', from: 3, to: 3, missed: 1 });
        view.filter({ source: '', level: 0, text: 'deep={"a":[1]}' });
        view.advance(1000);
        // The one entry that has it, and the gap.
        if (view.length !== 2) throw new Error(`${view.length} rows`);
      });
    });
  } finally {
    await context.close();
    await server.remove();
  }
}
