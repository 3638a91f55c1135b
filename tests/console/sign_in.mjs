// The way in: wrong passwords, the lock-out, and what comes after the right one.

import { PASSWORD, Server, accessible, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';

export default async function run(binary) {
  const server = await new Server(binary, { MAX_LOGIN_ATTEMPTS: '3', RATE_LIMIT_WINDOW_SECONDS: '8' }).start();
  const context = await visitor();
  const page = await tab(context, server);
  try {
    await step('whoever comes finds the sign-in, with the focus in the password', async () => {
      await page.waitForSelector('#sign-in', { state: 'visible' });
      equal(await page.evaluate(() => document.activeElement.id), 'password');
      equal(await page.inputValue('#user'), 'admin');
      holds(!(await page.isVisible('#bar')), 'no view shows before the sign-in');
      await accessible(page);
    });
    await step('a password can be looked at', async () => {
      await page.fill('#password', 'visible?');
      await page.click('#password + button');
      equal(await page.getAttribute('#password', 'type'), 'text');
      await page.click('#password + button');
      equal(await page.getAttribute('#password', 'type'), 'password');
    });
    await step('a wrong password is told in words', async () => {
      await page.fill('#password', 'wrong');
      await page.keyboard.press('Enter');
      await page.waitForSelector('#sign-in-error:has-text("The user name or the password is wrong.")');
      await accessible(page);
    }, /status of 401/);
    await step('after too many the lock-out is told, with the time it has left', async () => {
      for (const password of ['wrong 2', 'wrong 3', 'wrong 4']) {
        await page.fill('#password', password);
        const answered = page.waitForResponse(/login/);
        await page.keyboard.press('Enter');
        await answered;
      }
      await page.waitForSelector('#sign-in-error:has-text("Too many failed attempts from this address.")');
      const left = async () => Number((await page.textContent('#sign-in-wait')).match(/Try again in (\d+) s\./)[1]);
      const first = await left();
      await eventually('the count going down', async () => (await left()) < first);
      holds(await page.isDisabled('#sign-in .primary'), 'no attempt is made meanwhile');
      await accessible(page);
    }, /status of 401/, /status of 429/);
    await step('when it is over the right password opens', async () => {
      await eventually('the end of the lock-out', () => page.isEnabled('#sign-in .primary'));
      equal(await page.textContent('#sign-in-error'), '');
      await signIn(page);
      await page.waitForSelector('#device dd');
      equal(await page.textContent('#who'), 'admin');
    });
    await step('the access token is kept nowhere but in memory', async () => {
      const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
      const tokens = kept.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g) ?? [];
      equal(tokens.length, 1, 'tokens kept');
      equal(JSON.parse(Buffer.from(tokens[0].split('.')[1], 'base64url')).type, 'refresh');
      holds(!kept.includes(PASSWORD), 'the password is not kept');
    });
    await step('a reload stays signed in, and on its view', async () => {
      await page.click('nav a[href="#security"]');
      await page.reload();
      await page.waitForSelector('#h-security', { state: 'visible' });
    });
    await step('signing out ends it', async () => {
      await page.click('#sign-out');
      await page.waitForSelector('#sign-in-notice:has-text("You are signed out.")');
      equal(await page.evaluate(() => sessionStorage.length), 0, 'things kept');
      await page.reload();
      await page.waitForSelector('#sign-in', { state: 'visible' });
      await accessible(page);
    });
  } finally {
    await context.close();
    await server.remove();
  }
}
