// Tokens: renewed before they expire, once at a time, in all tabs together; and an end that is told in words.

import { Server, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';

export default async function run(binary) {
  const server = await new Server(binary, { JWT_EXPIRE_DURATION: '12s', RATE_LIMIT_RPS: '1000', RATE_LIMIT_BURST: '10000' }).start();
  const context = await visitor();
  const page = await tab(context, server);
  const asked = { refresh: 0, refused: 0 };
  context.on('response', response => {
    if (response.url().endsWith('/api/auth/refresh')) asked.refresh++;
    if (response.status() === 401) asked.refused++;
  });
  try {
    await signIn(page);
    await step('the tokens are renewed before they expire', async () => {
      await eventually('a refresh', () => asked.refresh > 0);
      await page.waitForResponse(response => response.url().endsWith('/api/status') && response.ok());
      equal(asked.refused, 0, 'refusals');
    });
    await step('of many calls after the expiry one refreshes for all', async () => {
      const before = asked.refresh;
      await page.evaluate(async () => {
        const { call } = await import('/console/session.js');
        const { now } = Date;
        Date.now = () => now() + 11_000;
        await Promise.all(Array.from({ length: 8 }, () => call('api/ws-token')));
        Date.now = now;
      });
      equal(asked.refresh - before, 1, 'refreshes');
      equal(asked.refused, 0, 'refusals');
    });
    await step('a refused token is renewed and the call made again', async () => {
      // The server sees a token that is no good; the page does not know.
      let spoilt = 0;
      await page.route('**/api/ws-token', route => {
        const headers = spoilt++ ? {} : { authorization: 'Bearer spoilt' };
        route.continue({ headers: { ...route.request().headers(), ...headers } });
      });
      const before = asked.refresh;
      const { status } = await page.evaluate(async () => (await import('/console/session.js')).call('api/ws-token'));
      equal(status, 'success');
      equal(asked.refresh - before, 1, 'refreshes');
      await page.unroute('**/api/ws-token');
    }, /status of 401/);
    await step('a duplicated tab shares the session, and neither is taken for a thief', async () => {
      const kept = await page.evaluate(() => ({ ...sessionStorage }));
      const twin = await tab(context, server, page => page.addInitScript(kept => {
        if (!sessionStorage.length) Object.assign(sessionStorage, kept);
      }, kept));
      await twin.waitForSelector('#bar', { state: 'visible' });
      const before = asked.refresh;
      await eventually('renewals on both sides', () => asked.refresh >= before + 2, 40_000);
      holds(await page.isVisible('#bar'), 'the first is signed in');
      holds(await twin.isVisible('#bar'), 'so is its twin');
      equal(asked.refused, 1, 'refusals, the one above');
      await twin.close();
    });
    await step('a sign-out with an expired access token ends the refresh token too', async () => {
      const renewed = page.waitForResponse(response => response.url().endsWith('/api/auth/refresh') && response.ok());
      let spoilt = 0;
      await page.route('**/api/logout', route => {
        const headers = spoilt++ ? {} : { authorization: 'Bearer expired' };
        route.continue({ headers: { ...route.request().headers(), ...headers } });
      });
      await page.click('#sign-out');
      await page.waitForSelector('#sign-in-notice:has-text("You are signed out.")');
      await page.unroute('**/api/logout');
      equal(spoilt, 2, 'attempts to sign out');
      const { refresh_token: newest } = await (await renewed).json();
      const status = await page.evaluate(token => fetch('/api/auth/refresh', {
        method: 'POST', credentials: 'omit', body: JSON.stringify({ refresh_token: token }),
      }).then(response => response.status), newest);
      equal(status, 401, 'the newest refresh token');
      await signIn(page);
    }, /status of 401/);
    await step('a session that was ended elsewhere leads to the sign-in, and says so', async () => {
      await page.click('nav a[href="#log"]');
      await page.waitForSelector('#stream[data-state=live]');
      // Signed in by other means, changing the password ends all others.
      await page.evaluate(async () => {
        const ask = (path, body, token) => fetch(path, {
          method: 'POST', credentials: 'omit', body: JSON.stringify(body), headers: token ? { Authorization: `Bearer ${token}` } : {},
        }).then(response => response.json());
        const { access_token: token } = await ask('/api/auth/login', { username: 'admin', password: 'correct horse battery' });
        await ask('/api/change-password', { current_password: 'correct horse battery', new_password: 'another good one' }, token);
      });
      await page.waitForSelector('#sign-in-notice:has-text("Your session has ended; please sign in again.")');
      equal(await page.evaluate(() => sessionStorage.length), 0, 'things kept');
      equal(await page.$$eval('.row[data-n] .text', rows => rows.length), 0, 'lines left for the next to read');
    }, /status of 401/);
  } finally {
    await context.close();
    await server.remove();
  }
}
