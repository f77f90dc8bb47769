// TalkJS's own React components in Chromium, two people in two browsers: what each sees of what the other does. Nothing
// but the emulator is reached: requests to anywhere else fail, as they do offline.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer } from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { deflateSync } from 'node:zlib';

import { build } from 'esbuild';
import { chromium } from 'playwright-core';

import { binaries, session, startEmulator, token } from './harness.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const screenshot = path.join(binaries, '../ui-screenshot.png');
let browser;
let pages;

before(async () => {
  const bundle = await build({
    entryPoints: [path.join(here, 'ui_page.jsx')],
    bundle: true,
    write: false,
    outdir: 'out',
    jsx: 'automatic',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'warning',
  });
  const types = { '.js': 'text/javascript', '.css': 'text/css' };
  const files = new Map(bundle.outputFiles.map((file) => [`/${path.basename(file.path)}`, file.contents]));
  const html =
    '<!doctype html><meta charset="utf-8"><title>chat</title><link rel="stylesheet" href="/ui_page.css">' +
    '<body style="margin:0"><div id="root"></div><script type="module" src="/ui_page.js"></script>';
  pages = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://page');
    const content = pathname === '/' ? html : files.get(pathname);
    response.writeHead(content ? 200 : 404, {
      'Content-Type': types[path.extname(pathname)] ?? 'text/html',
    });
    response.end(content);
  });
  await new Promise((listening) => pages.listen(0, '127.0.0.1', listening));
  browser = await chromium.launch({
    executablePath: execFileSync('which', ['chromium'], { encoding: 'utf8' }).trim(),
    // Chromium's own sandbox does not start as root or in most containers; the only page is ours.
    args: ['--no-sandbox'],
  });
});

after(async () => {
  await browser?.close();
  pages?.close();
});

// An emulator with alice and bob, who are in the conversations.
async function start(t, conversations, ...flags) {
  const emulator = await startEmulator(...flags);
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const sdk = {};
  for (const user of ['alice', 'bob']) {
    sdk[user] = session(emulator, user);
    await sdk[user].currentUser.createIfNotExists({ name: user[0].toUpperCase() + user.slice(1) });
  }
  for (const [id, attributes] of Object.entries(conversations)) {
    await sdk.alice.conversation(id).createIfNotExists(attributes);
    await sdk.alice.conversation(id).participant('bob').createIfNotExists();
  }
  return { emulator, sdk };
}

// The page of one user, in a browser of its own as far as he can tell, with words for what is on it.
async function open(t, emulator, userId) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } });
  context.setDefaultTimeout(20_000);
  await context.route(
    (url) => url.hostname !== '127.0.0.1',
    (route) => route.abort(),
  );
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(error));
  t.after(async () => {
    await context.close();
    assert.deepEqual(errors, [], `uncaught errors in ${userId}'s page`);
  });
  const address = new URLSearchParams({ userId, token: token(userId), host: emulator.host });
  await page.goto(`http://127.0.0.1:${pages.address().port}/?${address}`);
  const field = page.getByRole('textbox', { name: 'Message Field' });
  const view = {
    page,
    field,
    listed: (text) => page.locator('.t-theme-conversation-list-item', { hasText: text }),
    // By its own text, not by that of what it replies to.
    message: (text) =>
      page.locator('.t-message-list .t-theme-message', {
        has: page.locator('.t-theme-text-block', { hasText: text }),
      }),
    typing: page.locator('.t-theme-after-messages [class="t-typing-bubble"]'),
    select: async (text) => {
      await view.listed(text).click();
      await field.waitFor();
    },
    type: async (text) => {
      await field.click();
      await page.keyboard.type(text);
    },
    send: async (text) => {
      await view.type(text);
      await page.getByRole('button', { name: 'Send', exact: true }).click();
    },
    menu: async (text, entry) => {
      await view.message(text).hover();
      await view.message(text).getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem', { name: entry }).click();
    },
    upload: async (file) => {
      const chooser = page.waitForEvent('filechooser');
      await page.getByRole('button', { name: 'Send file' }).click();
      await (await chooser).setFiles([file]);
      await page.locator('.t-confirm-send').click();
    },
  };
  return view;
}

const gone = { state: 'detached' };

// A PNG of one colour.
function png(width, height, colour) {
  const chunk = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    let crc = ~0;
    for (const byte of body) {
      crc ^= byte;
      for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    const size = Buffer.alloc(4);
    size.writeUInt32BE(data.length);
    const check = Buffer.alloc(4);
    check.writeUInt32BE(~crc >>> 0);
    return Buffer.concat([size, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const row = Buffer.concat([Buffer.of(0), ...Array(width).fill(Buffer.from(colour))]);
  const pixels = deflateSync(Buffer.concat(Array(height).fill(row)));
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', pixels),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

test('two people chat: typing, ticks, edits, replies, reactions, files, deletion', async (t) => {
  const { emulator } = await start(t, { c1: { subject: 'Dogs' }, c2: { subject: 'Cats' } });
  const alice = await open(t, emulator, 'alice');
  const bob = await open(t, emulator, 'bob');

  // Bob has the chat open, Alice only her list.
  await bob.select('Dogs');
  await alice.listed('Cats').waitFor();
  await bob.send('Hello *Alice*');
  await bob.message('Hello Alice').and(bob.page.locator('[t-status="sent"]')).waitFor();
  await alice.listed('Dogs').getByText('Hello Alice').waitFor();
  await alice.listed('Dogs').locator('.t-unread-dot', { hasText: '1' }).waitFor();
  assert.match(await alice.page.locator('.t-theme-conversation-list-item').first().innerText(), /Dogs/);

  // Opening it reads it; the sender sees that.
  await alice.select('Dogs');
  await alice.message('Hello Alice').locator('strong', { hasText: 'Alice' }).waitFor();
  await alice.listed('Dogs').locator('.t-unread-dot').waitFor(gone);
  await bob.message('Hello Alice').and(bob.page.locator('[t-status="everyoneRead"]')).waitFor();

  // Typing shows, and ends with the message.
  await alice.type('Hi Bob, how are the dgos?');
  await bob.typing.waitFor();
  await alice.page.getByRole('button', { name: 'Send', exact: true }).click();
  await bob.message('how are the dgos?').waitFor();
  await bob.typing.waitFor(gone);

  await alice.menu('how are the dgos?', 'Edit message');
  const editor = alice.page.locator('.t-theme-message-field[t-mode="edit"]').getByRole('textbox');
  await editor.fill('Hi Bob, how are the dogs?');
  await alice.page.getByRole('button', { name: 'Save' }).click();
  await bob.message('how are the dogs?').waitFor();
  assert.equal(await bob.message('dgos').count(), 0);

  await bob.menu('how are the dogs?', 'Reply');
  await bob.send('Asleep. Look:');
  const reply = alice.message('Asleep. Look:');
  await reply.locator('.t-theme-referenced-message', { hasText: 'how are the dogs?' }).waitFor();

  // The picker comes from elsewhere; the page's own handle on the chat adds the first one.
  const asleep = await alice.message('Asleep').getAttribute('t-message-id');
  await alice.page.evaluate((id) => window.chatbox.toggleReaction(id, '👍'), asleep);
  const reactions = (view, count) => view.message('Asleep').getByLabel(`${count} reactions with 👍`);
  await reactions(bob, 1).click();
  await reactions(alice, 2).waitFor();
  await reactions(alice, 2).click();
  await reactions(bob, 1).waitFor();

  // Alice gets the image from the emulator, and its size before it is loaded.
  await bob.upload({ name: 'red dog.png', mimeType: 'image/png', buffer: png(48, 32, [200, 60, 40]) });
  const image = alice.page.locator('.t-theme-image-block img');
  await image.waitFor();
  await alice.page.waitForFunction(() => {
    const shown = document.querySelector('.t-theme-image-block img');
    return shown?.complete && shown.naturalWidth === 48;
  });
  const source = await image.getAttribute('src');
  assert.ok(source.startsWith(`http://${emulator.host}/`) && source.endsWith('/red%20dog.png'), source);

  const notes = 'feed at 8\nwalk at 9\n';
  await alice.upload({ name: 'notes & more.txt', mimeType: 'text/plain', buffer: Buffer.from(notes) });
  const file = bob.page.locator('.t-theme-file-block', { hasText: 'notes & more.txt' });
  await file.waitFor();
  const link = file.locator('xpath=descendant-or-self::*[@href] | ancestor::*[@href]').first();
  const download = await fetch(await link.getAttribute('href'));
  assert.equal(await download.text(), notes);
  assert.equal(download.headers.get('content-type'), 'text/plain');

  await bob.page.waitForFunction(() => document.querySelector('.t-theme-image-block img')?.complete);
  await bob.page.screenshot({ path: screenshot });

  await alice.menu('how are the dogs?', 'Delete message');
  await bob.message('how are the dogs?').waitFor(gone);
  await alice.page.locator('.t-theme-referenced-message').waitFor(gone);
  await bob.page.locator('.t-theme-referenced-message').waitFor(gone);
});

test('the search box finds messages and conversations', async (t) => {
  const { emulator, sdk } = await start(t, { c1: { subject: 'Dogs' }, c2: { subject: 'Walks & Cats' } });
  await sdk.bob.conversation('c1').send('A walk in the park, *tomorrow*');
  await sdk.bob.conversation('c2').send('nothing of the kind');
  const alice = await open(t, emulator, 'alice');
  await alice.listed('nothing of the kind').waitFor();
  await alice.page.getByPlaceholder('Search...').fill('WALK');
  const results = alice.page.locator('.t-theme-global-search-result-item');
  await results.filter({ hasText: 'A walk in the park' }).waitFor();
  await results.filter({ hasText: 'Walks & Cats' }).waitFor();
  assert.equal(await results.count(), 2);
  await results.filter({ hasText: 'A walk in the park' }).click();
  await alice.message('A walk in the park').waitFor();
  await alice.page.getByPlaceholder('Search...').fill('zebra');
  await results.first().waitFor(gone);
});

test('older messages are loaded by scrolling; joining and leaving show at once', async (t) => {
  const { emulator, sdk } = await start(t, { c1: { subject: 'Dogs' } });
  for (let i = 1; i <= 45; i++) await sdk.bob.conversation('c1').send(`message ${i}.`);
  const alice = await open(t, emulator, 'alice');
  await alice.select('Dogs');
  await alice.message('message 45.').waitFor();
  assert.equal(await alice.message('message 15.').count(), 0);
  for (const text of ['message 16.', 'message 6.', 'message 1.']) {
    await alice.message(text).first().scrollIntoViewIfNeeded();
  }

  await sdk.bob.conversation('c2').createIfNotExists({ subject: 'Surprise' });
  await sdk.bob.conversation('c2').participant('alice').createIfNotExists();
  await alice.listed('Surprise').waitFor();
  await sdk.bob.conversation('c2').set({ subject: 'No longer a surprise' });
  await alice.listed('No longer a surprise').waitFor();
  await sdk.bob.conversation('c2').participant('alice').delete();
  await alice.listed('No longer a surprise').waitFor(gone);
});

test('the settings of the emulator decide what the components offer', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'talkjs-ui-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'settings.json');
  const permissions = { messages: { edit: 'none', delete: 'all' } };
  fs.writeFileSync(file, JSON.stringify({ features: ['location_sharing'], configuration: { permissions } }));
  const { emulator, sdk } = await start(t, { c1: { subject: 'Dogs' } }, '--ui-settings', file);
  await sdk.bob.conversation('c1').send('Hello');
  const alice = await open(t, emulator, 'alice');
  await alice.select('Dogs');
  await alice.page.getByRole('button', { name: 'Share location' }).waitFor();
  assert.equal(await alice.page.getByRole('button', { name: 'Send file' }).count(), 0);
  assert.equal(await alice.page.getByPlaceholder('Search...').count(), 0);
  await alice.menu('Hello', 'Delete message');
  await alice.message('Hello').waitFor(gone);
});
