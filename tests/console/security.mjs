// Lock-outs seen and cleared, the password changed, and what else may be told of a device.

import { PASSWORD, Server, accessible, equal, eventually, holds, signIn, step, tab, visitor } from './harness.mjs';

const FRESH = 'a fresh password';

export default async function run(binary) {
  const server = await new Server(binary, { MAX_LOGIN_ATTEMPTS: '5', RATE_LIMIT_RPS: '1000', RATE_LIMIT_BURST: '10000' }).start();
  const context = await visitor();
  const page = await tab(context, server);
  const guess = () => page.evaluate(() => fetch('/api/auth/login', { method: 'POST', credentials: 'omit', body: '{"username":"admin","password":"no"}' }).then(({ status }) => status));
  const change = async (current, next, again = next) => {
    await page.fill('#current', current);
    await page.fill('#new', next);
    await page.fill('#again', again);
    await page.click('#change .primary');
  };
  const refused = words => eventually(words, async () => (await page.textContent('#change-error')) === words);
  try {
    await signIn(page);
    await page.click('nav a[href="#security"]');
    await step('without failures it says that there are none', async () => {
      await page.waitForSelector('#locks-none', { state: 'visible' });
      await accessible(page);
    });
    await step('a lock-out is listed with its time, and a button clears it', async () => {
      for (let n = 0; n < 6; n++) await guess();
      equal(await guess(), 429, 'locked out');
      await page.waitForSelector('#locks tr:has-text("127.0.0.1") td.error:text-matches("^Locked out for \\\\d:\\\\d\\\\d min$")');
      await accessible(page);
      await page.click('#locks button[aria-label="Clear 127.0.0.1"]');
      await page.waitForSelector('#locks-note:has-text("127.0.0.1 may try again.")');
      await page.waitForSelector('#locks-none', { state: 'visible' });
      equal(await guess(), 401, 'it may try again');
    }, /status of 4(01|29)/);
    await step('the rules of a new password are shown as they are met', async () => {
      const kept = async () => (await page.$$eval('#rules li', items => items.map(item => item.className === 'kept'))).join();
      await page.fill('#current', PASSWORD);
      await page.fill('#new', 'short');
      equal(await kept(), 'false,true,true,true');
      await page.fill('#new', 'ä'.repeat(37));
      equal(await kept(), 'true,false,true,true');
      await page.fill('#new', PASSWORD);
      equal(await kept(), 'true,true,false,true');
      await page.fill('#new', 'admin');
      equal(await kept(), 'false,true,true,false');
      await page.fill('#new', FRESH);
      equal(await kept(), 'true,true,true,true');
    });
    await step('what is wrong with a change is told in words, at the field', async () => {
      const focused = () => page.evaluate(() => document.activeElement.id);
      await change(PASSWORD, 'short');
      await refused('The new password is refused: at least 8 characters.');
      equal(await focused(), 'new');
      await change(PASSWORD, FRESH, 'another one');
      await refused('The new password is not the same both times.');
      equal(await focused(), 'again');
      await change('not the current', FRESH);
      await refused('The current password is wrong.');
      equal(await focused(), 'current');
      await change(PASSWORD, 'password123');
      await refused('The password is one of the first that anybody would guess.');
      await accessible(page);
    }, /status of 400/);
    await step('after a change the page goes on, its log too, and the new password is the one', async () => {
      await change(PASSWORD, FRESH);
      await page.waitForSelector('#change-note:has-text("The password is changed. All other sign-ins have ended.")');
      equal(await page.inputValue('#new'), '', 'the form');
      await page.reload();
      await page.waitForSelector('#h-security', { state: 'visible' });
      await page.click('nav a[href="#log"]');
      await page.waitForSelector('#stream[data-state=live]');
      server.append('still here\n');
      await page.waitForSelector('.row .text:text-is("still here")');
      await page.click('#sign-out');
      await page.fill('#password', PASSWORD);
      await page.click('#sign-in .primary');
      await page.waitForSelector('#sign-in-error:has-text("wrong")');
      await signIn(page, FRESH);
    }, /status of 401/);
    await step('a change that is in force is told as one, though the sign-in behind it fails', async () => {
      await page.click('nav a[href="#security"]');
      await page.route('**/api/auth/login', route => route.abort());
      await change(FRESH, 'one more password');
      await page.waitForSelector('#change-note:has-text("The password is changed. All other sign-ins have ended; sign in again before long.")');
      equal(await page.textContent('#change-error'), '', 'errors');
      await page.unroute('**/api/auth/login');
      // Its own token still stands.
      await page.click('#sign-out');
      await page.waitForSelector('#sign-in-notice:has-text("You are signed out.")');
      await signIn(page, 'one more password');
    }, /ERR_FAILED/);
    await step('trouble, news and known vulnerabilities are told; only https is linked', async () => {
      await page.click('nav a[href="#overview"]');
      let health = { status: 'degraded', version: '1', reasons: ['the journal cannot be written'], cves: 2, update_available: true, update_version: '0.2.0', update_url: 'https://example.org/postern' };
      await page.route('**/api/health', route => route.fulfill({ json: health }));
      await page.waitForSelector('.banner.bad:has-text("Degraded: the journal cannot be written.")');
      const known = await page.waitForSelector('.banner.bad:has-text("Known vulnerabilities that apply to this device: 2.")');
      equal(await page.getAttribute('.banner.note:has-text("Version 0.2.0 is available.") a', 'href'), 'https://example.org/postern');
      await accessible(page);
      await (await known.$('a')).click();
      await page.waitForFunction(() => document.activeElement.id === 'h-security');
      await page.click('nav a[href="#overview"]');
      health = { status: 'healthy', version: '1', update_available: true, update_url: 'javascript:alert(1)' };
      await page.waitForSelector('.banner.note:has-text("An update is available.")');
      equal(await page.$$eval('#health a', links => links.length), 0, 'links');
      await page.unroute('**/api/health');
    });
    await step('vulnerabilities are listed as text, the list is asked for once, and only https is linked', async () => {
      await page.click('nav a[href="#security"]');
      await page.waitForSelector('#cves-note:has-text("Not checked: no advisories.")');
      equal(await page.isVisible('#cves-table'), false, 'a table of nothing');
      const hostile = '<img src=x onerror="window.owned = 1">\u202e\u001b[2J';
      const data = [
        { id: 'DSA-1-1', severity: 'critical', ecosystem: 'Debian:12', package: 'openssl', installed: '3.0.9-1', fixed_in: '3.0.11-1', link: 'https://example.org/1' },
        { id: 'CVE-2026-1', severity: 'unknown', ecosystem: 'Debian:12', package: hostile, installed: hostile, link: 'javascript:alert(1)' },
      ];
      let summary = { state: 'failing', advisories: 1205, packages: 312, cves: 1204, severities: {}, error: hostile };
      let asked = 0;
      let told = 0;
      await page.route('**/api/status', async route => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...await response.json(), advisories: summary } });
        told++;
      });
      await page.route('**/api/security/cve*', route => {
        asked++;
        return route.fulfill({ json: { status: 'success', ...summary, data } });
      });
      await page.waitForSelector('#cves tr:nth-child(2)');
      const shown = '<img src=x onerror="window.owned = 1">‹202e›␛[2J';
      equal(await page.textContent('#cves-note'), `1,204 known of 1,205 advisories. Not all could be read: ${shown} The first 2:`);
      const cells = await page.$$eval('#cves tr', rows => rows.map(row => [...row.children].map(cell => cell.textContent).join('|')).join('\n'));
      equal(cells, `DSA-1-1|critical|openssl|3.0.9-1|3.0.11-1\nCVE-2026-1|unknown|${shown}|${shown}|–`);
      equal(await page.$$eval('#known a', links => links.map(link => `${link.href} ${link.rel}`).join()), 'https://example.org/1 noreferrer');
      equal(await page.evaluate(() => window.owned), undefined, 'what a row did');
      await accessible(page);
      const before = told;
      await eventually('the status again', () => told > before + 1);
      equal(asked, 1, 'questions for the list');
      summary = { state: 'current', advisories: 1205, packages: 312, cves: 0, severities: {} };
      data.length = 0;
      await page.waitForSelector('#cves-note:text-is("0 known of 1,205 advisories.")');
      equal(await page.isVisible('#cves-table'), false, 'a table of nothing');
      await page.unroute('**/api/status');
      await page.unroute('**/api/security/cve*');
    });
    await step('another site can neither frame the page nor use it', async () => {
      const headers = (await page.request.get(server.url)).headers();
      holds(/frame-ancestors 'none'/.test(headers['content-security-policy']), 'no frames');
      holds(!/unsafe/.test(headers['content-security-policy']), 'nothing inline');
    });
  } finally {
    await context.close();
    await server.remove();
  }
}
