// The protocol without the SDK: what it would not do, and what it does not show.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import WebSocket from 'ws';

import { APP, KEY, rawSocket, signature, startEmulator, token } from './harness.mjs';

async function start(t, ...flags) {
  const emulator = await startEmulator(...flags);
  t.after(async () => assert.equal(await emulator.stop(), 0));
  return emulator;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const text = (words) => ({ content: [{ type: 'text', children: [words] }] });

// A logged-in socket of a user who exists.
async function connect(emulator, user, claims) {
  const socket = await rawSocket(emulator, user);
  const [status, data] = await socket.call('POST', '/session/renew', { token: token(user, claims) });
  assert.equal(status, 200, JSON.stringify(data));
  await socket.call('PUT', `/users/${encodeURIComponent(user)}`, { name: user });
  return socket;
}

async function makeConversation(id, ...sockets) {
  await sockets[0].call('PUT', `/conversations/${id}`);
  for (const socket of sockets) {
    const user = decodeURIComponent(new URL(socket.socket.url).pathname.split('/').at(-1));
    const actions = [{ id: user, method: 'PUT', params: {} }];
    await socket.call('POST', `/conversations/${id}/participants`, { actions });
  }
}

test('before login only ping and login are answered', async (t) => {
  const emulator = await start(t);
  const socket = await rawSocket(emulator, 'alice');
  assert.deepEqual(await socket.call('GET', '/ping'), [200, {}]);
  for (const [method, path] of [
    ['GET', '/me/conversations'],
    ['SUBSCRIBE', '/users/alice'],
    ['PUT', '/users/alice'],
    ['GET', '/no/such/path'],
  ]) {
    const [status, data] = await socket.call(method, path);
    assert.deepEqual([status, data.errorCode], [401, 'UNAUTHORIZED']);
  }
});

test('tokens are judged', async (t) => {
  const emulator = await start(t);
  const socket = await rawSocket(emulator, 'alice');
  const now = Math.floor(Date.now() / 1000);
  const renew = async (value) => {
    const [status, data] = await socket.call('POST', '/session/renew', { token: value });
    return status === 200 ? data.expiresInSeconds : status;
  };
  const [head, body, mac] = token('alice').split('.');
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  assert.equal(await renew('garbage'), 400);
  assert.equal(await renew(undefined), 400);
  assert.equal(await renew(7), 400);
  assert.equal(await renew(`${head}.${body}.${'A'.repeat(mac.length)}`), 401);
  assert.equal(await renew(`${none}.${body}.`), 401);
  assert.equal(await renew(token('alice', {}, 'sk_test_wrong')), 401);
  assert.equal(await renew(token('bob')), 401);
  assert.equal(await renew(token('alice', { iss: 'other' })), 401);
  assert.equal(await renew(token('alice', { tokenType: 'app' })), 401);
  assert.equal(await renew(token('alice', { exp: now - 1 })), 401);
  assert.equal(await renew(token('alice', { nbf: now + 100 })), 401);
  assert.equal(await renew(token('alice', { exp: undefined })), null);
  const left = await renew(token('alice', { exp: now + 1000 }));
  assert.ok(left >= 995 && left <= 1000, String(left));
});

test('the secret key comes from a file, whatever the environment says', async (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'talkjs-key-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'key');
  fs.writeFileSync(file, 'sk_test_from_a_file\r\n');
  const emulator = await start(t, '--secret-key-file', file);
  const login = async (key) => {
    const socket = await rawSocket(emulator, 'alice');
    return (await socket.call('POST', '/session/renew', { token: token('alice', {}, key) }))[0];
  };
  assert.equal(await login('sk_test_from_a_file'), 200);
  assert.equal(await login(KEY), 401);
});

test('at exp the session expires, and a renewal brings it back on the same socket', async (t) => {
  const emulator = await start(t);
  const alice = await connect(emulator, 'alice', { exp: Math.floor(Date.now() / 1000) + 2 });
  await alice.call('SUBSCRIBE', '/users', { ids: ['alice'] });
  await alice.call('PUT', '/users/alice', { name: 'A1' });
  const expired = await alice.until((f) => f[1] === 'PUBLISH' && f[2].type === 'session.expired');
  assert.deepEqual(expired.slice(2), [{ type: 'session.expired' }]);
  assert.equal((await alice.call('GET', '/users', { ids: ['alice'] }))[0], 401);
  await alice.call('POST', '/session/renew', { token: token('alice') });
  await alice.call('PUT', '/users/alice', { name: 'A2' });
  await alice.call('SUBSCRIBE', '/users', { ids: ['alice'] });
  await alice.call('PUT', '/users/alice', { name: 'A3' });
  // Subscriptions ended with the session, the publish numbers go on.
  assert.deepEqual(
    alice.published.map((f) => [f[0], f[2].diff?.name]),
    [[1, 'A1'], [2, undefined], [3, 'A3']],
  );
});

test('events come before the answer of their call, and not with the answer of a GET', async (t) => {
  const emulator = await start(t);
  const [alice, bob] = [await connect(emulator, 'alice'), await connect(emulator, 'bob')];
  await makeConversation('c', alice, bob);
  await alice.call('SUBSCRIBE', '/me/conversations/c/messages');
  const number = alice.frames.length;
  await alice.call('POST', '/conversations/c/messages', text('mine'));
  assert.equal(alice.frames[number][1], 'PUBLISH');
  assert.equal(alice.frames[number + 1][1], 200);
  for (let i = 0; i < 20; ++i) {
    const list = alice.call('GET', '/me/conversations/c/messages', { limit: 1 });
    const sent = bob.call('POST', '/conversations/c/messages', text(`his ${i}`));
    await Promise.all([list, sent]);
  }
  await alice.until((f) => f[1] === 'PUBLISH' && f[2].state.content[0].children[0] === 'his 19');
  const gaps = alice.frames
    .filter((frame, i) => frame[1] === 'PUBLISH' && alice.frames[i - 1]?.[1] === 200 && alice.frames[i - 1][2].data)
    .map((frame) => frame.arrived - alice.frames[alice.frames.indexOf(frame) - 1].arrived)
    .sort((a, b) => a - b);
  // A busy machine lets the client look at an answer late, now and then; without a gap nearly all are below 1 ms.
  assert.ok(gaps.length > 0);
  assert.ok(gaps[Math.floor(gaps.length / 4)] > 3, `${gaps.map((gap) => gap.toFixed(1))} ms`);
});

test('a retried message is stored once', async (t) => {
  const emulator = await start(t);
  const alice = await connect(emulator, 'alice');
  await makeConversation('c', alice);
  const message = { ...text('once'), idempotencyKey: '-P72Q1_D3i-Rgnp6vglK' };
  const [, first] = await alice.call('POST', '/conversations/c/messages', message);
  const again = await connect(emulator, 'alice');
  const [, second] = await again.call('POST', '/conversations/c/messages', message);
  assert.equal(second.id, first.id);
  const [, page] = await again.call('GET', '/me/conversations/c/messages', { limit: 30 });
  assert.equal(page.data.length, 1);
  assert.equal(page.cursor, null);
});

test('wrong data is refused with an error object and changes nothing', async (t) => {
  const emulator = await start(t);
  const alice = await connect(emulator, 'alice');
  await makeConversation('c', alice);
  const [, { id }] = await alice.call('POST', '/conversations/c/messages', text('m'));
  const bad = [
    ['GET', '/users', {}],
    ['GET', '/users', { ids: 'alice' }],
    ['GET', '/users', { ids: Array(1001).fill('x') }],
    ['PUT', '/users/alice', { name: 7 }],
    ['PUT', '/users/alice', { custom: { a: 1 } }],
    ['PUT', '/users/alice', { pushTokens: { 'web:1': true } }],
    ['PUT', '/conversations/c', { welcomeMessages: [1] }],
    ['GET', '/me/conversations', { limit: 0 }],
    ['GET', '/me/conversations', { limit: 'many' }],
    ['GET', '/me/conversations', { filter: { colour: ['==', 'red'] } }],
    ['GET', '/me/conversations', { cursor: 'x' }],
    ['GET', '/me/conversations', { cursor: Buffer.from('[1,2]').toString('base64url') }],
    ['GET', '/me/conversations/c/messages', { cursor: Buffer.from('["a",-1]').toString('base64url') }],
    ['POST', '/conversations/c/participants', {}],
    ['POST', '/conversations/c/participants', { actions: [] }],
    ['POST', '/conversations/c/participants', { actions: Array(101).fill({ id: 'alice', method: 'PUT' }) }],
    ['POST', '/conversations/c/messages', {}],
    ['POST', '/conversations/c/messages', { content: [] }],
    ['POST', '/conversations/c/messages', { content: [{ type: 'text', children: [{ type: 'bold' }] }] }],
    ['PATCH', `/conversations/c/messages/${id}`, { content: 'x' }],
    ['PUT', `/conversations/c/messages/${id}/reactions/hello/alice`, {}],
    ['GET', '/users/%zz/online', {}],
    ['GET', '/users/%ff/online', {}],
    ['SUBSCRIBE', '/users', { ids: [1] }],
  ];
  for (const [method, path, data] of bad) {
    const [status, answer] = await alice.call(method, path, data);
    assert.equal(status, 400, `${method} ${path} ${JSON.stringify(data)}`);
    assert.equal(answer.errorCode, 'BAD_REQUEST');
    assert.equal(typeof answer.reasons[0], 'string');
  }
  const actions = [{ id: 'alice', method: 'DELETE' }, { id: 'alice', method: 'PUT', params: { access: 'Write' } }, 7];
  const [, { responses }] = await alice.call('POST', '/conversations/c/participants', { actions });
  assert.deepEqual(responses.map((r) => r.status), [400, 400, 400]);
  const [status] = await alice.call('PUT', `/conversations/c/messages/${id}/reactions/%F0%9F%91%8D/bob`);
  assert.equal(status, 403);
  for (const path of ['/no/such/thing', '/', '/files', '/me/conversations/c/translate']) {
    assert.equal((await alice.call('POST', path))[0], 405);
  }
  assert.equal((await alice.call('GET', '/me/conversations/c/messages'))[1].data.length, 1);
});

test('what is no frame closes the socket, and harms nobody else', async (t) => {
  const emulator = await start(t);
  const alice = await connect(emulator, 'alice');
  const broken = [
    '',
    '{',
    '{}',
    '[]',
    '[1]',
    '["a","GET","/ping",{},{}]',
    '[-1,"GET","/ping",{},{}]',
    '[1.5,"GET","/ping",{},{}]',
    '[99999999999999999999,"GET","/ping",{},{}]',
    '[0,"GET","ping",{},{}]',
    '[0,"GET","/ping",[],{}]',
    `${'['.repeat(10_000)}`,
    `[0,"GET","/ping",${'{"a":'.repeat(100)}1${'}'.repeat(100)},{}]`,
    randomBytes(500).toString('latin1'),
  ];
  for (const frame of broken) {
    const socket = await rawSocket(emulator, 'bob');
    socket.send(frame);
    const { code } = await socket.closed;
    assert.equal(code, 1002, JSON.stringify(frame.slice(0, 50)));
  }
  const big = await rawSocket(emulator, 'bob');
  big.send(`[0,"GET","/ping",{"x":"${'y'.repeat(1 << 20)}"},{}]`);
  assert.equal((await big.closed).code, 1009);
  const binary = await rawSocket(emulator, 'bob');
  binary.socket.send(Buffer.from([1, 2, 3]));
  assert.equal((await binary.closed).code, 1003);
  assert.deepEqual(await alice.call('GET', '/ping'), [200, {}]);
});

test('bytes that are not HTTP are answered or dropped', async (t) => {
  const emulator = await start(t);
  const port = Number(emulator.host.split(':')[1]);
  const attempts = ['\r\n\r\n', 'GET / HTTP/9.9\r\n\r\n', randomBytes(3000), `GET /${'x'.repeat(1 << 16)} HTTP/1.1\r\n\r\n`];
  for (const bytes of attempts) {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.resume();
    const closed = new Promise((resolve) => socket.on('close', resolve));
    socket.end(bytes);
    await closed;
  }
  assert.equal((await fetch(`http://${emulator.host}/api/v0/${APP}`)).status, 200);
});

test('HTTP: app check, bokens, settings', async (t) => {
  const emulator = await start(t);
  const get = async (path, headers) => {
    const answer = await fetch(`http://${emulator.host}${path}`, { headers });
    assert.equal(answer.headers.get('access-control-allow-origin'), '*', path);
    return [answer.status, await answer.json()];
  };
  assert.deepEqual(await get(`/api/v0/${APP}`), [200, {}]);
  assert.equal((await get('/api/v0/other'))[0], 404);
  assert.equal((await get('/api/v0/other/bokens/alice?signature='))[0], 404);
  const [, { boken }] = await get(`/api/v0/${APP}/bokens/zo%C3%AB?signature=${signature('zoë')}`);
  assert.equal(JSON.parse(Buffer.from(boken.split('.')[1], 'base64url')).sub, 'zoë');
  assert.equal((await get(`/api/v0/${APP}/bokens/alice?signature=`))[0], 200);
  assert.equal((await get(`/api/v0/${APP}/bokens/alice?signature=${signature('bob')}`))[0], 401);
  const settings = `/api/v0/${APP}//app?sessionId=1&role_name=default`;
  assert.equal((await get(settings))[0], 401);
  assert.equal((await get(settings, { authorization: 'Bearer nonsense' }))[0], 401);
  const [status, body] = await get(settings, { authorization: `Bearer ${token('alice')}` });
  assert.equal(status, 200);
  assert.equal(body.appMetadata.id, APP);
  assert.ok(Array.isArray(body.features));
  for (const path of ['/', '/api', '/api/v0', `/api/v0/${APP}/nothing`, '/public_api/v1/x', '/%zz']) {
    const [code, error] = await get(path);
    assert.ok(code === 404 || code === 400, path);
    assert.equal(typeof error.errorCode, 'string');
  }
});

test('preflights are answered everywhere, without authentication', async (t) => {
  const emulator = await start(t);
  for (const path of ['/api/v0/demo//app', '/api/v0/other', '/public_api/v1/demo/files', '/x']) {
    const answer = await fetch(`http://${emulator.host}${path}`, { method: 'OPTIONS' });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
    assert.match(answer.headers.get('access-control-allow-methods'), /PATCH/);
    assert.match(answer.headers.get('access-control-allow-headers'), /Authorization.*x-talkjs-client-date/);
  }
});

test('upgrades: another app is refused at login, another path at once', async (t) => {
  const emulator = await start(t);
  const other = await rawSocket(emulator, 'alice', 'other');
  const [status] = await other.call('POST', '/session/renew', { token: token('alice', { iss: 'other' }) });
  assert.equal(status, 401);
  for (const path of ['/', `/public_api/v1/${APP}/nothing/alice`, `/api/v0/${APP}`]) {
    const code = await new Promise((resolve) => {
      const socket = new WebSocket(`ws://${emulator.host}${path}`);
      socket.on('unexpected-response', (request, response) => resolve(response.statusCode));
      socket.on('open', () => resolve('open'));
      socket.on('error', () => {});
    });
    assert.notEqual(code, 'open', path);
    assert.notEqual(code, 101, path);
  }
});

test('many sockets of one user all hear a message once', async (t) => {
  const emulator = await start(t);
  const [alice, bob] = [await connect(emulator, 'alice'), await connect(emulator, 'bob')];
  await makeConversation('c', alice, bob);
  const sockets = [];
  for (let i = 0; i < 200; ++i) {
    const socket = await rawSocket(emulator, 'bob');
    socket.call('POST', '/session/renew', { token: token('bob') });
    socket.call('SUBSCRIBE', '/me/conversations/c/messages');
    sockets.push(socket);
  }
  await Promise.all(sockets.map((s) => s.until((f) => f[0] === 1 && f[1] === 200)));
  await alice.call('POST', '/conversations/c/messages', text('to all'));
  await Promise.all(sockets.map((s) => s.until((f) => f[1] === 'PUBLISH')));
  await pause(20);
  assert.ok(sockets.every((s) => s.published.length === 1));
  sockets.forEach((s) => s.close());
});
