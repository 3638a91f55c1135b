// Runs the parts, each with what it needs of its own.

import { closeBrowser, openBrowser, tally } from './harness.mjs';

const PARTS = ['sign_in', 'live_log', 'hostile', 'keyboard', 'session', 'security', 'restart', 'states', 'many'];

const [binary, ...wanted] = process.argv.slice(2);
console.log(`Chromium ${await openBrowser()}`);
try {
  for (const part of wanted.length ? wanted : PARTS) {
    const { default: run } = await import(`./${part}.mjs`);
    console.log(`-- ${part}`);
    await run(binary);
  }
} finally {
  await closeBrowser();
}
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exit(tally.failed || !tally.passed ? 1 : 0);
