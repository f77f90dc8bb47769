// What the emulator keeps, and how the unmodified SDK sees it when the state is killed, put back, or taken away.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

import { APP, rawSocket, session, startEmulator, token, watch } from './harness.mjs';

const talkjsctl = path.join(process.env.TALKJSD_BIN, 'talkjsctl');
const texts = (messages) => messages?.map((m) => m.plaintext);

function directory(t) {
  const made = fs.mkdtempSync(path.join(os.tmpdir(), 'talkjs-state-'));
  t.after(() => fs.rmSync(made, { recursive: true }));
  return made;
}

// {code, out, err}
async function ctl(args, options = {}) {
  const run = promisify(execFile)(talkjsctl, args, options);
  const { stdout, stderr, code } = await run.then((r) => ({ ...r, code: 0 })).catch((e) => e);
  return { code, out: stdout, err: stderr };
}

async function control(emulator, method, call, body) {
  const response = await fetch(`http://${emulator.host}/_emulator/v1/${call}`, {
    method,
    body: body && JSON.stringify(body),
  });
  return [response.status, await response.json()];
}

async function users(emulator, ...ids) {
  return Promise.all(
    ids.map(async (id) => {
      const made = session(emulator, id);
      await made.currentUser.createIfNotExists({ name: id });
      return made;
    }),
  );
}

async function conversation(id, members, properties = {}) {
  await members[0].conversation(id).createIfNotExists(properties);
  for (const member of members) await member.conversation(id).participant(member.currentUser.id).createIfNotExists();
}

const seed = {
  format: 1,
  users: { alice: { name: 'Alice' }, bob: { name: 'Bob' } },
  conversations: {
    c1: {
      subject: 'Seeded',
      participants: { alice: {}, bob: {} },
      messages: [
        { senderId: 'bob', text: 'one' },
        { senderId: 'alice', text: 'two' },
      ],
    },
  },
};

function write(folder, name, document) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, JSON.stringify(document));
  return file;
}

test('killed in the middle of a chat, it goes on where it was', async (t) => {
  const data = path.join(directory(t), 'data');
  const first = await startEmulator('--data-dir', data);
  const [alice, bob] = await users(first, 'alice', 'bob');
  await conversation('c1', [alice, bob], { subject: 'kept' });
  const list = watch((on) => bob.subscribeConversations(on));
  const messages = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await list.until((l) => l?.length === 1);
  await messages.until((m) => m?.length === 0);
  // Without a subscription the SDK does not connect again by itself: a call that was cut off then waits for the next one.
  const own = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await own.until((m) => m?.length === 0);
  const sent = await alice.conversation('c1').send('before');
  // Not before: while the SDK fetches the sender of a new message it misses what happens to that message.
  await messages.until((m) => m.length === 1);
  await bob.conversation('c1').message(sent.id).reactions('👍').add();
  await messages.until((m) => m.length === 1 && m[0].reactions.length === 1);

  // Sends while the process dies: what was answered must be there later, and nothing twice.
  const pending = Array.from({ length: 20 }, (_, i) => alice.conversation('c1').send(`m${i}`));
  await Promise.all(pending.slice(0, 5));
  await first.kill();
  const second = await startEmulator('--data-dir', data, '--listen', first.host);
  t.after(() => second.stop());
  await Promise.all(pending);  // the SDK sends the rest again
  const all = await messages.until((m) => m.length === 21, 'all 21 messages', 25_000);
  assert.equal(new Set(texts(all)).size, 21);
  const oldest = all.at(-1);
  assert.equal(oldest.id, sent.id);
  assert.deepEqual(oldest.reactions, [{ emoji: '👍', count: 1, currentUserReacted: true }]);
  // What is told while the SDK reads its lists again it may lose. Answers come in order: behind that of a call there is
  // no other to come, but for what the answers themselves made it ask.
  for (const locale of ['nl', 'en']) await bob.currentUser.set({ locale });
  // Of a conversation that it holds already the SDK does not take the new attributes when it connects again, but from
  // the next event on; another session of his has no such past.
  const fresh = watch((on) => session(second, 'bob').subscribeConversations(on));
  await fresh.until((l) => l?.[0]?.lastMessage?.id === all[0].id && l[0].unreadMessageCount === 21);
  const after = await alice.conversation('c1').send('after');
  await messages.until((m) => m[0].id === after.id);
  await list.until((l) => l[0].lastMessage?.id === after.id && l[0].unreadMessageCount === 22);
});

test('an upload is still there after a restart', async (t) => {
  const data = directory(t);
  const first = await startEmulator('--data-dir', data);
  const [alice] = await users(first, 'alice');
  await conversation('c1', [alice]);
  const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256);
  const file = new File([bytes], 'noise.bin', { type: 'application/octet-stream' });
  const builder = alice.conversation('c1');
  const uploaded = await alice.uploadFile(file, { filename: 'noise.bin' });
  await builder.send({ content: [{ type: 'file', fileToken: uploaded }] });
  const seen = watch((on) => builder.subscribeMessages(on));
  const [message] = await seen.until((m) => m?.length === 1);
  const { url } = message.content[0];
  assert.equal(await first.stop(), 0);
  const second = await startEmulator('--data-dir', data, '--listen', first.host);
  t.after(() => second.stop());
  const download = await fetch(url);
  assert.deepEqual(new Uint8Array(await download.arrayBuffer()), bytes);
});

test('one directory, one emulator; what cannot be used is said', async (t) => {
  const data = directory(t);
  const first = await startEmulator('--data-dir', data);
  t.after(() => first.stop());
  const fails = async (...flags) => {
    const run = promisify(execFile)(path.join(process.env.TALKJSD_BIN, 'talkjs-emulator'), [
      '--listen=127.0.0.1:0',
      ...flags,
    ]);
    const { code, stderr } = await run.catch((e) => e);
    return [code, stderr];
  };
  const [locked, complaint] = await fails('--data-dir', data);
  assert.equal(locked, 1);
  assert.match(complaint, /another talkjs-emulator uses it/);
  assert.equal((await fails('--data-dir', '/dev/null/x'))[0], 1);
  const bad = write(data, 'bad.json', { format: 1, users: { a: { nmae: 'x' } } });
  const [wrong, place] = await fails('--seed', bad);
  assert.equal(wrong, 2);
  assert.match(place, /bad\.json: \$\.users\.a\.nmae: unknown property/);
});

test('seed, snapshot, reset and restore: the SDK shows the new state at once', async (t) => {
  const emulator = await startEmulator('--seed', write(directory(t), 'seed.json', seed));
  t.after(() => emulator.stop());
  const alice = session(emulator, 'alice');
  const list = watch((on) => alice.subscribeConversations(on));
  const one = watch((on) => alice.conversation('c1').subscribe(on));
  const messages = watch((on) => alice.conversation('c1').subscribeMessages(on));
  const people = watch((on) => alice.conversation('c1').subscribeParticipants(on));
  const bob = watch((on) => alice.user('bob').subscribe(on));
  await list.until((l) => l?.[0]?.subject === 'Seeded');
  assert.deepEqual(texts(await messages.until((m) => m?.length === 2)), ['two', 'one']);
  await people.until((p) => p?.length === 2);
  await bob.until((u) => u?.name === 'Bob');
  const [, snapshot] = await control(emulator, 'GET', 'snapshot');

  await alice.conversation('c1').send('three');
  await messages.until((m) => m.length === 3);
  const merged = await control(emulator, 'POST', 'seed', {
    format: 1,
    users: { bob: { name: 'Robert' }, carol: {} },
    conversations: {
      c1: { subject: 'Merged', participants: { carol: {} }, messages: [{ senderId: 'carol', text: 'four' }] },
      c2: { participants: { alice: {} } },
    },
  });
  assert.deepEqual(merged, [200, { users: 3, conversations: 2, messages: 4 }]);
  await one.until((c) => c?.subject === 'Merged' && c.unreadMessageCount === 1);
  assert.deepEqual(texts(await messages.until((m) => m?.length === 4)), ['four', 'three', 'two', 'one']);
  await people.until((p) => p?.length === 3);
  await bob.until((u) => u.name === 'Robert');
  // Older than what the SDK's list has loaded, the new one shows when the list is read on.
  await list.subscription.loadMore(20);
  await list.until((l) => l.length === 2);

  assert.equal((await control(emulator, 'POST', 'restore', snapshot))[0], 200);
  await one.until((c) => c?.subject === 'Seeded' && c.unreadMessageCount === 0);
  assert.deepEqual(texts(await messages.until((m) => m?.length === 2)), ['two', 'one']);
  await people.until((p) => p?.length === 2);
  await bob.until((u) => u.name === 'Bob');
  await list.until((l) => l.length === 1 && l[0].id === 'c1');
  assert.deepEqual((await control(emulator, 'GET', 'snapshot'))[1], snapshot);

  const refused = await control(emulator, 'POST', 'restore', { format: 1, conversations: { x: { a: 1 } } });
  assert.deepEqual(refused, [
    400,
    { errorCode: 'BAD_REQUEST', reasons: ['$.conversations.x.a: unknown property'] },
  ]);
  assert.deepEqual((await control(emulator, 'GET', 'snapshot'))[1], snapshot);

  await alice.conversation('c1').send('gone at the reset');
  await messages.until((m) => m.length === 3);
  assert.deepEqual(await control(emulator, 'POST', 'reset'), [200, { users: 2, conversations: 1, messages: 2 }]);
  assert.deepEqual(texts(await messages.until((m) => m?.length === 2)), ['two', 'one']);
  await alice.conversation('c1').send('and it goes on');
  await messages.until((m) => m.length === 3);
});

test('an empty world leaves nothing in the snapshots', async (t) => {
  const emulator = await startEmulator();
  t.after(() => emulator.stop());
  const [alice, bob] = await users(emulator, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const list = watch((on) => alice.subscribeConversations(on));
  const one = watch((on) => alice.conversation('c1').subscribe(on));
  await list.until((l) => l?.length === 1);
  await one.until((c) => c !== null && c !== undefined);
  await control(emulator, 'POST', 'reset');
  await list.until((l) => l === null || l.length === 0);
  await one.until((c) => c === null);
  await control(emulator, 'POST', 'seed', seed);
  await list.until((l) => l?.length === 1 && l[0].lastMessage?.plaintext === 'two');
  await one.until((c) => c?.subject === 'Seeded');
});

test('a full disk: calls that change something are 500, nobody hears of them, reading goes on', async (t) => {
  const data = directory(t);
  const emulator = await startEmulator('--data-dir', data);
  t.after(() => emulator.stop());
  await control(emulator, 'POST', 'seed', seed);
  const alice = await rawSocket(emulator, 'alice');
  const bob = await rawSocket(emulator, 'bob');
  for (const [socket, user] of [[alice, 'alice'], [bob, 'bob']]) {
    assert.equal((await socket.call('POST', '/session/renew', { token: token(user) }))[0], 200);
  }
  await bob.call('SUBSCRIBE', '/me/conversations/c1/messages');
  const send = (text) =>
    alice.call('POST', '/conversations/c1/messages', { content: [{ type: 'text', children: [text] }], idempotencyKey: text });
  await promisify(execFile)('prlimit', ['--pid', `${emulator.pid}`, '--fsize=20000:unlimited']);
  let answer = await send('x'.repeat(30_000));
  assert.equal(answer[0], 500, JSON.stringify(answer));
  assert.equal((await send('y'))[0], 500);
  assert.equal((await control(emulator, 'POST', 'reset'))[0], 500);
  assert.equal((await alice.call('GET', '/me/conversations/c1'))[0], 200);
  assert.equal(bob.events.length, 0);
  await promisify(execFile)('prlimit', ['--pid', `${emulator.pid}`, '--fsize=unlimited:unlimited']);
  answer = await send('y');
  assert.equal(answer[0], 200);
  await bob.until((f) => f[1] === 'PUBLISH');
  alice.close();
  bob.close();
});

test('talkjsctl: reset, seed, snapshot, restore', async (t) => {
  const folder = directory(t);
  const emulator = await startEmulator();
  t.after(() => emulator.stop());
  const at = ['--emulator', emulator.host];
  const file = write(folder, 'seed.json', seed);
  const seeded = await ctl(['--json', 'emulator', 'seed', file, ...at]);
  assert.equal(seeded.code, 0, seeded.err);
  assert.deepEqual(JSON.parse(seeded.out), { users: 2, conversations: 1, messages: 2 });
  const saved = path.join(folder, 'saved.json');
  assert.equal((await ctl(['emulator', ...at, 'snapshot', saved])).code, 0);
  const shown = await ctl(['emulator', 'snapshot'], { env: { ...process.env, TALKJS_HOST: emulator.host } });
  assert.equal(shown.out, fs.readFileSync(saved, 'utf8'));
  assert.match((await ctl(['emulator', 'reset', ...at])).out, /^users +0\nconversations +0\nmessages +0\n$/);
  assert.equal((await ctl(['emulator', 'restore', saved, ...at])).code, 0);
  assert.equal((await ctl(['emulator', 'snapshot', ...at])).out, shown.out);
  const bad = await ctl(['emulator', 'restore', write(folder, 'bad.json', { format: 7 }), ...at]);
  assert.equal(bad.code, 1);
  assert.match(bad.err, /cannot restore \(BAD_REQUEST\): \$\.format: expected 1/);
  assert.equal((await ctl(['emulator', 'seed', path.join(folder, 'none'), ...at])).code, 2);
  const nobody = await ctl(['emulator', 'reset', '--emulator', '127.0.0.1:1']);
  assert.equal(nobody.code, 3);
  assert.match(nobody.err, /no emulator answers at 127\.0\.0\.1:1/);
});

test('talkjsctl emulator exec: a command with an emulator of its own', async (t) => {
  const node = (code) => ['--', process.execPath, '-e', code];
  const exec = (...args) => ctl(['emulator', 'exec', ...args]);
  const file = write(directory(t), 'seed.json', seed);
  const print = `
    const { TALKJS_HOST: host, TALKJS_APP_ID: app } = process.env;
    fetch('http://' + host + '/_emulator/v1/').then((r) => r.json()).then((o) => console.log(host, app, o.app_id, o.users));`;
  const seen = await exec('--app-id', 'shop', `--seed=${file}`, ...node(print));
  assert.equal(seen.code, 0, seen.err);
  const [host, ...rest] = seen.out.trim().split(' ');
  assert.deepEqual(rest, ['shop', 'shop', '2']);
  await assert.rejects(fetch(`http://${host}/_emulator/v1/`), 'the emulator is gone');
  assert.equal((await exec(...node('process.exit(7)'))).code, 7);
  assert.equal((await exec(...node('process.kill(process.pid, "SIGKILL")'))).code, 128 + 9);
  assert.equal((await exec('--', 'no-such-command')).code, 127);
  assert.equal((await exec()).code, 2);
  assert.equal((await exec('--no-such-flag', '--', 'true')).code, 2);
  assert.equal((await exec('--data-dir=/dev/null/x', '--', 'true')).code, 1);
  assert.equal((await exec('--', 'sh', '-c', 'exit 3')).code, 3);

  const child = spawn(
    talkjsctl,
    ['emulator', 'exec', ...node(`process.on('SIGTERM', () => process.exit(42)); console.log(process.env.TALKJS_HOST); setInterval(() => {}, 1000);`)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = await once(child.stdout, 'data');
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  assert.equal(code, 42);
  await assert.rejects(fetch(`http://${`${line}`.trim()}/_emulator/v1/`), 'the emulator is gone');
});
