// The daemon's status page in Chromium: sessions appear, change their state and say why; streams show their lag; it works
// by keyboard and with ten thousand sessions' worth of pages. Leaves screenshots, light and dark: look at them.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { APP, KEY, binaries, startEmulator, token } from './harness.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'talkjs-status-'));
const address = `unix://${path.join(folder, 'd.sock')}`;
let browser;
let emulator;
let daemon;
let url;

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

before(async () => {
  emulator = await startEmulator();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  daemon = spawn(
    path.join(binaries, 'talkjsd'),
    ['--listen', address, '--state-dir', path.join(folder, 'state'), '--upstream-host', emulator.host,
      '--metrics', `127.0.0.1:${port}`, '--log-level', 'error'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines = readline.createInterface({ input: daemon.stdout });
  assert.match((await once(lines, 'line'))[0], /^talkjsd listening/);
  browser = await chromium.launch({
    executablePath: execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
    // Chromium's own sandbox does not start as root or in most containers; the only page is ours.
    args: ['--no-sandbox'],
  });
});

after(async () => {
  await browser?.close();
  if (daemon?.exitCode === null) {
    daemon.kill('SIGTERM');
    const [code] = await once(daemon, 'exit');
    assert.equal(code, 0);
  }
  if (emulator && !emulator.gone) await emulator.kill();
  fs.rmSync(folder, { recursive: true });
});

const ctl = (...words) => [path.join(binaries, 'talkjsctl'), ['--address', address, ...words]];

function run(words, environment = {}) {
  const [program, args] = ctl(...words);
  return execFileSync(program, args, { encoding: 'utf8', env: { ...process.env, ...environment } });
}

function create(user, credentials = { TALKJS_SECRET_KEY: KEY }, ...flags) {
  run(['session', 'create', '--app-id', APP, '--user', user, '--name', user, ...flags], credentials);
}

// A page that must not fail: no uncaught error, nothing said on the console, nothing asked of anybody else.
async function open(t, colorScheme = 'light') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 1000 }, colorScheme });
  context.setDefaultTimeout(20_000);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(error));
  page.on('console', (said) => faults.push(said.text()));
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) faults.push(request.url());
  });
  t.after(async () => {
    await context.close();
    assert.deepEqual(faults.filter((fault) => !page.mayFail || !/net::ERR_/.test(fault)), []);
  });
  await page.goto(url);
  return page;
}

const row = (page, user) =>
  page.locator('#sessions tr.row').filter({ has: page.locator('.who', { hasText: new RegExp(`^${user}$`) }) });
const inState = (page, user, state) => row(page, user).locator('.badge', { hasText: state });
const screenshot = (page, name) =>
  page.screenshot({ path: path.join(binaries, `../status-page-${name}.png`), fullPage: true });
const focused = (page) => page.evaluate(() => document.activeElement.dataset.key ?? document.activeElement.id);

// Some life: people who write, clients that listen, and every kind of trouble.
const listeners = [];
function live(t) {
  for (const user of ['alice', 'bob', 'carol', 'dora', 'emil']) create(user, undefined, '--wait');
  create('frank', { TALKJSD_TOKEN: token('frank', {}, 'another key') });
  create('<img src=x onerror=alert(1)>', { TALKJSD_SIGNATURE: 'ab'.repeat(32) });
  for (const words of [['messages', '--all'], ['unreads', '--all'], ['messages', '--all', '--subscription', 'crm']]) {
    const [program, args] = ctl(...words);
    listeners.push(spawn(program, args, { stdio: 'ignore' }));
  }
  t.after(() => listeners.forEach((listener) => listener.kill('SIGTERM')));
}

test('sessions appear, say why they are in trouble, and the page works by keyboard', async (t) => {
  const page = await open(t);
  await page.getByText('There are no sessions yet.').waitFor();
  await page.locator('#health', { hasText: 'serving' }).waitFor();
  live(t);
  for (const user of ['alice', 'bob', 'carol', 'dora', 'emil']) await inState(page, user, 'Connected').waitFor();
  await inState(page, 'frank', 'Waiting for token').waitFor();
  await row(page, 'frank').getByText('TOKEN_REFUSED').waitFor();
  const failed = page.locator('#sessions tr.row').filter({ hasText: '<img src=x' });
  await failed.locator('.badge', { hasText: 'Failed' }).waitFor();
  assert.equal(await page.locator('#sessions img').count(), 0, "other people's words are text");

  // What needs a person comes first.
  assert.match(await page.locator('#sessions tr.row').first().innerText(), /Failed/);
  const tile = (name) => page.locator('#states button', { hasText: name });
  await tile('Connected').locator('.count', { hasText: /^5$/ }).waitFor();
  await tile('All sessions').locator('.count', { hasText: /^7$/ }).waitFor();
  await page.locator('#streams tr').nth(2).waitFor();
  await page.locator('#streams', { hasText: 'crm' }).waitFor();

  // The filter, by keyboard.
  await page.keyboard.press('/');
  assert.equal(await focused(page), 'filter');
  await page.keyboard.type('ALI');
  await row(page, 'bob').waitFor({ state: 'detached' });
  assert.equal(await page.locator('#sessions tr.row').count(), 1);
  await page.locator('#filter').fill('nobody at all');
  await page.getByText('No session matches.').waitFor();
  await page.locator('#filter').fill('');
  await row(page, 'bob').waitFor();

  // Rows, by keyboard; the focus outlives updates.
  await page.locator('#filter').focus();
  await page.keyboard.press('ArrowDown');
  const first = await focused(page);
  assert.match(first, /^ses_/);
  await page.keyboard.press('ArrowDown');
  const second = await focused(page);
  assert.notEqual(second, first);
  await page.keyboard.press('Enter');
  await page.locator('tr.details', { hasText: second }).waitFor();
  await page.waitForResponse(/status\.json/);
  await page.waitForResponse(/status\.json/);
  assert.equal(await focused(page), second);
  await page.keyboard.press('Enter');
  await page.locator('tr.details').waitFor({ state: 'detached' });

  // Sorted columns, and states as a filter.
  await page.locator('th[data-sort="user"] button').click();
  await page.locator('th[data-sort="user"][aria-sort="ascending"]').waitFor();
  await page.waitForFunction(() => {
    const users = [...document.querySelectorAll('#sessions .who')].map((who) => who.textContent);
    return users.length === 7 && users.every((user, i) => i === 0 || users[i - 1] <= user);
  });
  await page.locator('th[data-sort="user"] button').click();
  await page.locator('th[data-sort="user"][aria-sort="descending"]').waitFor();
  await tile('Failed').click();
  await row(page, 'alice').waitFor({ state: 'detached' });
  await page.keyboard.press('Tab');
  await tile('Failed').click();
  await row(page, 'alice').waitFor();

  // Paused, nothing is asked.
  await page.keyboard.press('p');
  await page.getByRole('button', { name: 'Go on' }).waitFor();
  let asked = 0;
  page.on('request', () => asked++);
  create('gina', undefined, '--wait');
  assert.equal(await row(page, 'gina').count(), 0);
  assert.ok(asked <= 1, `${asked} requests`);
  await page.getByRole('button', { name: 'Go on' }).click();
  await row(page, 'gina').waitFor();

  // Both looks, with some traffic in the charts.
  await page.locator('th[data-sort="state"] button').click();
  for (let i = 0; i < 20; i++) {
    run(['send', '--session', `${APP}/alice`, '--conversation', 'room', '--ensure-participant', `message ${i}`]);
  }
});

test('in the dark, with a lost upstream, and then without the daemon', async (t) => {
  const light = await open(t);
  const page = await open(t, 'dark');
  await inState(page, 'alice', 'Connected').waitFor();
  await page.locator('#charts polyline').first().waitFor();
  await page.waitForFunction(() => /highest [1-9]/.test(document.querySelector('#charts').textContent));
  await row(page, 'frank').click();
  await page.locator('tr.details').waitFor();
  await screenshot(page, 'dark');
  await row(light, 'frank').click();
  await light.locator('tr.details').waitFor();
  await screenshot(light, 'light');
  const colour = (of) => of.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.notEqual(await colour(page), await colour(light));

  await emulator.kill();
  emulator.gone = true;
  await inState(page, 'alice', 'Reconnecting').waitFor();
  await row(page, 'alice').getByText('UPSTREAM').waitFor();
  await page.locator('#states button', { hasText: 'Reconnecting' }).locator('.count', { hasText: /^6$/ }).waitFor();
  await screenshot(page, 'reconnecting');

  for (const shown of [page, light]) shown.mayFail = true;
  daemon.kill('SIGTERM');
  const [code] = await once(daemon, 'exit');
  assert.equal(code, 0);
  await page.locator('#health', { hasText: 'no answer' }).waitFor();
  await page.getByText('The daemon does not answer. This is what it said at').waitFor();
});
