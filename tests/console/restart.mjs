// The server goes away and comes back under an open page.

import { Server, accessible, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';
import { texts } from './live_log.mjs';

const LOST = [/ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/, /ERR_CONNECTION_CLOSED/, /ERR_EMPTY_RESPONSE/, /ERR_SOCKET_NOT_CONNECTED/];

export default async function run(binary) {
  const server = await new Server(binary).start();
  const context = await visitor();
  const page = await tab(context, server);
  const shows = text => eventually(text, async () => (await texts(page)).includes(text), 40_000);
  try {
    await signIn(page);
    await step('Healthy does not stand there when the device no longer answers', async () => {
      await page.waitForSelector('#health .good');
      await page.route('**/api/status', () => {});
      await page.waitForSelector('#trouble:has-text("The device does not answer.")');
      equal(await page.isVisible('#health'), false, 'the health of a while ago');
      await page.unroute('**/api/status');
      await page.reload();
      await page.waitForSelector('#health .good');
    });
    await page.click('nav a[href="#log"]');
    // More than the second run will have: its numbers begin at 1 again.
    server.append('an earlier line\n'.repeat(50) + 'of the first run\n');
    await shows('of the first run');
    await step('a lost connection is told, with the time of the next attempt', async () => {
      await server.end();
      await page.waitForSelector('#stream[data-state=waiting]');
      equal(await page.textContent('#stream-text'), 'Connection lost');
      await page.waitForSelector('#stream-wait:text-matches("^next attempt in \\\\d+ s$")');
      await page.waitForSelector('#trouble:has-text("The device does not answer. Trying again.")');
      holds(await page.isVisible('#retry'), 'one may try at once');
      await accessible(page);
    }, ...LOST);
    await step('when it is back the page goes on by itself, with the restart as a row, and nothing twice', async () => {
      await server.start();
      await page.waitForSelector('#stream[data-state=live]', { timeout: 45_000 });
      server.append('of the second run\n');
      await shows('of the second run');
      const found = await texts(page);
      const restart = found.indexOf('postern was restarted');
      holds(restart > found.indexOf('of the first run') && restart < found.indexOf('of the second run'), found.join(' | '));
      equal(found.filter(text => text === 'of the second run').length, 1, 'copies');
      await eventually('no more trouble', () => page.isHidden('#trouble'));
      equal(await page.isVisible('#bar'), true, 'signed in');
    }, ...LOST);
    await step('after kill -9 too, and a click does not wait', async () => {
      await server.end('SIGKILL');
      await page.waitForSelector('#stream[data-state=waiting]');
      await server.start();
      await eventually('live again', async () => {
        if (await page.isVisible('#retry')) await page.click('#retry', { timeout: 1000 }).catch(() => {});
        return (await page.getAttribute('#stream', 'data-state')) === 'live';
      });
    }, ...LOST);
    await step('signing out without a connection still forgets the session, and says what is uncertain', async () => {
      await server.end();
      await page.waitForSelector('#stream[data-state=waiting]');
      await page.click('#sign-out');
      await page.waitForSelector('#sign-in-error:has-text("The device does not answer. This page has forgotten the session")');
      equal(await page.evaluate(() => sessionStorage.length), 0, 'things kept');
    }, ...LOST);
  } finally {
    await context.close();
    await server.remove();
  }
}
