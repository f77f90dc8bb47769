// Bad input over real sockets, and every fault rule there is: what goes wrong is what was asked for, and is counted.
import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';

import { APP, rawSocket, startEmulator, token } from './harness.mjs';
import { control, rest, settle } from './scenario.mjs';

// The same numbers every time.
function randomizer(seed) {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return { below: (n) => Math.floor(next() * n), pick: (list) => list[Math.floor(next() * list.length)] };
}

async function login(emulator, user) {
  const socket = await rawSocket(emulator, user);
  const [status] = await socket.call('POST', '/session/renew', { token: token(user) });
  assert.equal(status, 200);
  return socket;
}

const text = (words) => ({ content: [{ type: 'text', children: [words] }] });

test('whatever somebody sends, he learns nothing of others, and they are served', { timeout: 60_000 }, async (t) => {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const SECRET = 'plum4711';
  await rest(emulator, 'PUT', 'users', {
    alice: { name: 'Alice', email: `${SECRET}@example.com`, phone: [`+${SECRET}`], pushTokens: { [`fcm:${SECRET}`]: true } },
    bob: { name: 'Bob' },
    eve: { name: 'Eve' },
  });
  await rest(emulator, 'PUT', 'conversations/secret', { participants: ['alice', 'bob'], subject: SECRET, custom: { search: SECRET } });
  await rest(emulator, 'PUT', 'conversations/open', { participants: ['alice', 'bob', 'eve'] });
  const [{ id }] = await rest(emulator, 'POST', 'conversations/secret/messages', [
    { type: 'UserMessage', sender: 'alice', text: SECRET, custom: { k: SECRET } },
  ]);
  const me = '/me/conversations/secret';
  const templates = [
    ['GET', me], ['GET', `${me}/messages`], ['GET', `${me}/messages/${id}`], ['GET', `${me}/participants`],
    ['GET', `${me}/participants/alice`], ['GET', `${me}/typing`], ['GET', `${me}/translate`, { ids: [id], lang: 'fr' }],
    ['GET', `${me}/messages/${id}/reactions/%F0%9F%91%8D`], ['GET', '/me/conversations', { filter: {}, limit: 30 }],
    ['GET', '/users', { ids: ['alice'], includePrivateFields: true }], ['GET', '/users/alice'],
    ['SUBSCRIBE', '/me/conversations'], ['SUBSCRIBE', me], ['SUBSCRIBE', `${me}/messages`], ['SUBSCRIBE', `${me}/typing`],
    ['SUBSCRIBE', `${me}/participants`], ['SUBSCRIBE', `${me}/messages/${id}/reactions/%F0%9F%91%8D`],
    ['SUBSCRIBE', '/users', { ids: ['alice', 'bob'] }], ['POST', '/conversations/open/messages', text('noise')],
    ['POST', '/conversations/open/messages', { ...text('noise'), referencedMessageId: id }],
    ['PATCH', `/conversations/secret/messages/${id}`, text('mine')], ['DELETE', `/conversations/secret/messages/${id}`],
    ['PUT', `/conversations/secret/messages/${id}/reactions/%F0%9F%91%8D/eve`], ['POST', `${me}/read`],
    ['POST', '/conversations/secret/participants', { actions: [{ id: 'bob', method: 'PATCH', params: { access: 'Read' } }] }],
    ['POST', '/conversations/secret', { subject: 'x' }], ['DELETE', '/conversations/secret/participants/bob'],
    ['POST', '/session/renew', { token: token('alice') }], ['POST', '/session/renew', { token: token('eve') }],
  ];
  const scraps = [null, [], {}, -1, 1e308, '', '\0', '\u{1F600}', '..', '*', 'alice', 'secret', id, true, [[[]]], { ids: [id] }];
  const random = randomizer(20261122);
  // A request with something else in the place of one of its parts; at times text that is no frame.
  const mutate = (number, [method, path, data = {}]) => {
    const segments = path.split('/');
    if (random.below(3) === 0) segments[1 + random.below(segments.length - 1)] = encodeURIComponent(String(random.pick(scraps)));
    const changed = { ...data };
    if (random.below(3) === 0) {
      const key = random.pick([...Object.keys(data), 'limit', 'cursor', 'filter', 'idempotencyKey', 'custom']);
      changed[key] = random.pick(scraps);
    }
    const verb = random.below(8) === 0 ? random.pick(['GET', 'PUT', 'POST', 'PATCH', 'DELETE', 'UNSUBSCRIBE', 'X']) : method;
    const line = JSON.stringify([number, verb, segments.join('/'), changed, {}]);
    if (random.below(60) > 0) return line;
    const at = random.below(line.length);
    return line.slice(0, at) + String.fromCharCode(random.below(300)) + line.slice(at + random.below(3));
  };
  const alice = await login(emulator, 'alice');
  await alice.call('SUBSCRIBE', '/me/conversations/secret/messages');
  const received = [];
  let sockets = 0;
  for (let round = 0; round < 60; ++round) {
    const eve = await login(emulator, 'eve');
    ++sockets;
    for (let i = 0; i < 40 && eve.socket.readyState === 1; ++i) {
      eve.send(mutate(i + 1, random.pick(templates)));
      if (i % 10 === 0) await settle(2);
    }
    // What happens in the conversation meanwhile is not for her either.
    const said = await alice.call('POST', '/conversations/secret/messages', text(`${SECRET} ${round}`));
    assert.equal(said[0], 200);
    await settle(5);
    received.push(...eve.frames);
    eve.close();
  }
  assert.ok(received.length > 500, `${received.length} answers on ${sockets} sockets`);
  for (const frame of received) {
    assert.ok(!JSON.stringify(frame).includes(SECRET), JSON.stringify(frame).slice(0, 300));
    if (typeof frame[1] !== 'number' || frame[1] === 200) continue;
    assert.ok([400, 401, 403, 404, 405, 409, 500].includes(frame[1]), JSON.stringify(frame));
    assert.equal(typeof frame[2].errorCode, 'string');
    assert.ok(Array.isArray(frame[2].reasons));
  }
  assert.ok(!received.some((frame) => frame[1] === 500), 'nothing of it was too much');
  // The same over HTTP.
  const bearer = { Authorization: `Bearer ${token('eve')}`, 'Content-Type': 'application/json' };
  const base = `http://${emulator.host}/public_api/v1/${APP}`;
  for (const target of [
    `me/messages/search?searchString=${SECRET}&conversationFilter=%7B%7D&limit=50`,
    `me/conversations/search?searchString=${SECRET}&conversationFilter=%5B%22any%22%2C%5B%7B%7D%5D%5D`,
    'conversations/secret/messages', 'conversations/secret', 'users/alice', 'users', 'conversations',
  ]) {
    const response = await fetch(`${base}/${target}`, { headers: bearer });
    assert.ok(!(await response.text()).includes(SECRET), target);
  }
  const message = await rest(emulator, 'GET', `conversations/secret/messages/${id}`);
  assert.equal(message.text, SECRET, 'it is as it was');
  assert.deepEqual(message.reactions, {});
  assert.equal(alice.events.filter((event) => event.type === 'message.created').length, 60);
});

test('random bytes on the port are answered or dropped, and the next one is served', async (t) => {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const [host, port] = emulator.host.split(':');
  const random = randomizer(7);
  const pieces = ['GET / HTTP/1.1\r\n', 'Host: x\r\n', '\r\n', 'Upgrade: websocket\r\n', 'Content-Length: 99999999999\r\n',
    'Transfer-Encoding: chunked\r\n', '\0', 'POST /public_api/v1/demo/files HTTP/1.1\r\n', '\xff\xfe', 'ffffffffff\r\n'];
  for (let i = 0; i < 200; ++i) {
    const socket = net.connect(Number(port), host);
    socket.on('error', () => {});
    socket.resume();
    for (let k = random.below(6); k >= 0; --k) {
      const bytes = Buffer.from(Array.from({ length: random.below(300) }, () => random.below(256)));
      socket.write(random.below(2) ? random.pick(pieces) : bytes);
    }
    socket.end();
    if (i % 20 === 0) await settle(5);
  }
  const response = await fetch(`http://${emulator.host}/api/v0/${APP}`);
  assert.equal(response.status, 200);
});

// What happens once a rule is there, from its point of view: alice's socket, and what she does.
const TRIGGERS = {
  connect: async ({ open }) => open(),
  request: async ({ alice }) => alice.send('[900,"POST","/conversations/c1/messages",{"content":[{"type":"text","children":["x"]}]},{}]'),
  answer: async ({ alice }) => alice.send('[901,"GET","/me/conversations/c1",{},{}]'),
  publish: async ({ bob }) => bob.call('POST', '/conversations/c1/messages', text('hi')),
  http: async ({ emulator }) => fetch(`http://${emulator.host}/public_api/v1/${APP}/users/alice`).catch(() => {}),
};
const SOCKET = ['connect', 'request', 'answer', 'publish'];
const FRAME = ['request', 'answer', 'publish'];
const ACTIONS = [
  ['drop', [...SOCKET, 'http']],
  ['reset', [...SOCKET, 'http']],
  ['close', SOCKET, { code: 4000, reason: 'test' }],
  ['stall', SOCKET, { ms: 60 }],
  ['half_open', SOCKET],
  ['delay', [...FRAME, 'http'], { ms: 60 }],
  ['duplicate', FRAME],
  ['tear', ['answer', 'publish']],
  ['corrupt', ['answer', 'publish']],
  ['lose', [...FRAME, 'http']],
  ['expire', FRAME],
  ['restart', SOCKET, { ms: 60 }],
  ['status', ['connect', 'request', 'answer', 'http'], { status: 429 }],
];
const ENDS = new Set(['drop', 'reset', 'close', 'tear', 'restart']);

test('every fault, wherever it can happen, happens and is counted', { timeout: 60_000 }, async (t) => {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  await rest(emulator, 'PUT', 'users', { alice: { name: 'Alice' }, bob: { name: 'Bob' } });
  await rest(emulator, 'PUT', 'conversations/c1', { participants: ['alice', 'bob'] });
  const bob = await login(emulator, 'bob');
  let count = 0;
  for (const [action, points, parameters = {}] of ACTIONS) {
    for (const on of points) {
      const what = `${action} at ${on}`;
      const alice = await login(emulator, 'alice');
      await alice.call('SUBSCRIBE', '/me/conversations/c1/messages');
      const seen = alice.frames.length;
      const target = { request: '/conversations/*/messages', answer: '/me/conversations/c1', http: '/public_api/v1/*/users/alice' };
      const scope = on === 'http' ? {} : { user: 'al*' };
      const rule = { on, action, times: 1, ...scope, ...(target[on] && { path: target[on] }), ...parameters };
      const { id, matched, fired } = await control(emulator, 'POST', 'faults', rule);
      assert.deepEqual([matched, fired], [0, 0], what);
      let opened;
      const open = () => {
        opened = rawSocket(emulator, 'alice').catch((error) => ({ refused: error }));
        return settle(20);
      };
      await TRIGGERS[on]({ emulator, alice, bob, open });
      for (let tries = 0; (await control(emulator, 'GET', `faults/${id}`)).fired === 0 && tries < 100; ++tries) await settle(10);
      const after = await control(emulator, 'GET', `faults/${id}`);
      // What some do is a PUBLISH of its own, which matches as well.
      assert.ok(after.matched >= 1 && after.matched <= 2, what);
      assert.deepEqual([after.fired, after.remaining], [1, 0], what);
      if (ENDS.has(action) && on !== 'http' && on !== 'connect') {
        const { code } = await alice.closed;
        assert.equal(code, action === 'close' ? 4000 : 1006, what);
      }
      if (action === 'corrupt') await alice.until((frame) => frame[0] === 'broken');
      if (action === 'duplicate') {
        const copies = (frame) => alice.frames.slice(seen).filter((other) => JSON.stringify(other) === JSON.stringify(frame)).length;
        for (let tries = 0; alice.frames.length < seen + 2 && tries < 100; ++tries) await settle(10);
        if (on !== 'request') assert.equal(copies(alice.frames[seen]), 2, what);
      }
      await control(emulator, 'DELETE', `faults/${id}`);
      alice.socket.terminate();
      if (opened && !(await Promise.race([opened, settle(50)]))?.refused) (await opened).socket?.terminate();
      ++count;
    }
  }
  assert.equal(count, 48);
  // By name, a login that is refused.
  const { id } = await control(emulator, 'POST', 'faults', { action: 'refuse_token', user: 'alice', nth: 2 });
  const alice = await rawSocket(emulator, 'alice');
  const tried = [];
  for (let i = 0; i < 3; ++i) tried.push((await alice.call('POST', '/session/renew', { token: token('alice') }))[0]);
  assert.deepEqual(tried, [200, 401, 200]);
  const { matched, fired } = await control(emulator, 'GET', `faults/${id}`);
  assert.deepEqual([matched, fired], [3, 1]);
});
