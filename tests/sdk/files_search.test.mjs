// Files, searches, translations, typing and batches, by the unmodified SDK; and what only raw requests can ask for.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { APP, rawSocket, session, startEmulator, token, watch } from './harness.mjs';

// An emulator for one test, with users who exist already.
async function start(t, ...names) {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const users = {};
  for (const name of names) {
    users[name] = session(emulator, name);
    await users[name].currentUser.createIfNotExists({ name });
  }
  return { emulator, ...users };
}

async function conversation(id, [first, ...others], attributes = {}) {
  const ref = first.conversation(id);
  await ref.createIfNotExists(attributes);
  await Promise.all(others.map((other) => ref.participant(other.currentUser.id).createIfNotExists()));
  return ref;
}

const bytes = (length, seed) => Uint8Array.from({ length }, (_, i) => (i * i * 31 + i * seed) & 255);
const api = (emulator, rest) => `http://${emulator.host}/public_api/v1/${APP}/${rest}`;
const bearer = (user) => ({ Authorization: `Bearer ${token(user)}` });

test('every kind of file is uploaded, sent, and downloaded byte for byte', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  const chat = await conversation('c1', [alice, bob]);
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  const kinds = [
    ['Image', 'image/jpeg', { filename: 'größe 1.jpg', width: 640, height: 480 }],
    ['Video', 'video/mp4', { filename: 'a+b&c="d".mp4', width: 1280, height: 720, duration: 12.5 }],
    ['Audio', 'audio/mpeg', { filename: 'song.mp3', duration: 180 }],
    ['Voice', 'audio/ogg', { filename: 'note.ogg', duration: 2.25 }],
    ['File', 'application/zip', { filename: '100%25/done?.zip' }],
  ];
  let count = 0;
  for (const [kind, type, metadata] of kinds) {
    const data = bytes(1000 + count, count);
    const fileToken = await alice[`upload${kind}`](new Blob([data], { type }), metadata);
    await chat.send({ content: [{ type: 'file', fileToken }] });
    count += 1;
    const [message] = await seen.until((m) => m.length === count);
    const { url, ...block } = message.content[0];
    const subtype = kind === 'File' ? {} : { subtype: kind.toLowerCase() };
    assert.deepEqual(block, { type: 'file', ...subtype, fileToken, size: data.length, ...metadata });
    assert.ok(url.startsWith(`http://${emulator.host}/`), url);
    const download = await fetch(url, { headers: { Origin: 'http://elsewhere' } });
    assert.equal(download.headers.get('content-type'), type);
    assert.equal(download.headers.get('access-control-allow-origin'), '*');
    assert.equal(download.headers.get('content-length'), `${data.length}`);
    assert.deepEqual(new Uint8Array(await download.arrayBuffer()), data);
    const part = await fetch(url, { headers: { Range: 'bytes=10-19' } });
    assert.equal(part.status, 206);
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), data.slice(10, 20));
    const head = await fetch(url, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), `${data.length}`);
  }

  // A block that was received can be sent on, by anybody, and put into an edited message.
  const received = seen.last.at(-1).content[0];
  const sent = await bob.conversation('c1').send({ content: [received] });
  const [again] = await seen.until((m) => m.length === count + 1);
  assert.deepEqual(again.content[0], received);
  await bob.conversation('c1').message(sent.id).edit({ content: [seen.last[1].content[0]] });
  await seen.until((m) => m[0].content[0].filename === kinds.at(-1)[2].filename);
  await assert.rejects(
    chat.send({ content: [{ type: 'file', fileToken: 'no such token' }] }),
    /400 INVALID_FILE_TOKEN/,
  );
});

test('what is too large is refused before and while it is uploaded', async (t) => {
  const { emulator } = await start(t);
  const alice = await rawSocket(emulator, 'alice');
  await alice.call('POST', '/session/renew', { token: token('alice') });
  const validate = (filename, filesize) => alice.call('POST', '/files/validate', { filename, filesize });
  assert.deepEqual(await validate('a', 50_000_000), [200, {}]);
  assert.equal((await validate('a', 50_000_001))[1].errorCode, 'FILE_TOO_LARGE');
  for (const [name, size] of [['', 1], ['a', -1], ['a', '1'], [7, 1], ['a', 1e300]]) {
    assert.equal((await validate(name, size))[0], 400);
  }
  alice.close();

  const upload = async (size) => {
    const form = new FormData();
    form.append('file', new Blob([new Uint8Array(size)]), 'zeros.bin');
    const response = await fetch(api(emulator, 'files'), { method: 'POST', body: form, headers: bearer('alice') });
    return [response.status, await response.json()];
  };
  const [status, { fileToken }] = await upload(50_000_000);
  assert.equal(status, 200);
  const download = await fetch(api(emulator, `files/${fileToken}/zeros.bin`));
  assert.equal((await download.arrayBuffer()).byteLength, 50_000_000);
  assert.deepEqual(await upload(50_000_001), [
    400,
    { errorCode: 'FILE_TOO_LARGE', reasons: ['files may have 50 MB at most'] },
  ]);
  assert.deepEqual(await upload(50_100_000), [
    413,
    { errorCode: 'TOO_LARGE', reasons: ['the body is too large'] },
  ]);
  const elsewhere = await fetch(api(emulator, 'me/messages/search'), {
    method: 'POST',
    body: new Uint8Array(2_000_000),
  });
  assert.equal(elsewhere.status, 413);
});

test('messages are found in pages, newest first, until all are loaded', async (t) => {
  const { alice, bob, carol } = await start(t, 'alice', 'bob', 'carol');
  await conversation('c1', [alice, bob], { subject: 'one' });
  await conversation('c2', [alice, carol], { subject: 'two words' });
  await conversation('c3', [bob, carol]);
  const expected = [];
  for (let i = 0; i < 17; i++) {
    await (i % 3 ? bob.conversation('c1') : carol.conversation('c2')).send(`Ünïcode *100%* "word" ${i}`);
    expected.unshift(`Ünïcode 100% "word" ${i}`);
  }
  await bob.conversation('c3').send('Ünïcode that is not hers');
  await bob.conversation('c1').send('something else');

  const states = [];
  const search = alice.searchMessages((results, status) => states.push([results.length, status]));
  const texts = (state) => state.results.map((found) => found.message.plaintext);
  let state = await search.setQuery('"üNÏ" 100% word');
  assert.deepEqual(texts(state), expected.slice(0, 3));
  assert.equal(state.loadedAll, false);
  assert.equal(state.results[0].conversation.subject, 'one');
  assert.equal(state.results[0].message.sender.name, 'bob');
  state = await search.loadMore();
  assert.deepEqual(texts(state), expected.slice(0, 13));
  state = await search.loadMore(4);
  assert.deepEqual(texts(state), expected);
  assert.equal(state.loadedAll, true);
  assert.equal(states.at(-1)[1], 'loadedAll');

  state = await search.setQuery('word', { conversation: { subject: ['==', 'two words'] } });
  assert.ok(state.results.every((m) => m.conversation.id === 'c2'));
  state = await search.loadMore();
  assert.equal(state.results.length, 6);
  assert.equal(state.loadedAll, true);
  const any = ['any', [{ subject: ['oneOf', ['one', 'none']], hasMessages: true }, { custom: { x: 'exists' } }]];
  state = await search.setQuery('something', { conversation: any });
  assert.deepEqual(texts(state), ['something else']);
  assert.deepEqual((await search.setQuery('nothing like it')).results, []);
});

test('conversations are found by subject and by their search property', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  for (let i = 0; i < 7; i++) await conversation(`c${i}`, [alice], { subject: `Order ${i}` });
  await conversation('other', [alice, bob], { subject: 'Lunch', custom: { search: 'orders & more' } });
  await conversation('hidden', [bob], { subject: 'Order of his own' });
  const search = alice.searchConversations();
  let state = await search.setQuery('order');
  assert.deepEqual(state.results.map((c) => c.id), ['other', 'c6', 'c5']);
  state = await search.loadMore(2);
  assert.deepEqual(state.results.map((c) => c.id), ['other', 'c6', 'c5', 'c4', 'c3']);
  state = await search.loadMore();
  assert.equal(state.results.length, 8);
  assert.equal(state.loadedAll, true);
  state = await search.setQuery('order', { conversation: { custom: { search: 'exists' } } });
  assert.deepEqual(state.results.map((c) => c.id), ['other']);
});

test('messages are translated in batches', async (t) => {
  const { alice } = await start(t, 'alice');
  const chat = await conversation('c1', [alice]);
  const ids = [];
  for (let i = 0; i < 3; i++) ids.push((await chat.send(`*text* ${i}`)).id);
  const place = { type: 'location', latitude: 1, longitude: 2 };
  ids.push((await chat.send({ content: [place] })).id);
  const translated = await Promise.all([...ids, 'nothing'].map((id) => chat.message(id).translate('fr')));
  assert.deepEqual(translated.map((one) => one?.plaintext ?? null), [
    'fr text 0',
    'fr text 1',
    'fr text 2',
    '📍',
    null,
  ]);
  assert.deepEqual(translated[0].content[0].children[0], { type: 'bold', children: ['fr'] });
  assert.deepEqual(translated[3].content, [place]);
  await assert.rejects(alice.conversation('none').message('m').translate('fr'), /404/);
});

test('a typing mark ends after ten seconds, and typing on prolongs it', { timeout: 60_000 }, async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const seen = watch((on) => alice.conversation('c1').subscribeTyping(on));
  await seen.until((s) => s?.many === false && s.users.length === 0);
  await bob.conversation('c1').markAsTyping();
  const began = performance.now();
  await seen.until((s) => s.users.length === 1);
  await new Promise((passed) => setTimeout(passed, 3000));
  await bob.conversation('c1').markAsTyping();
  while (seen.last.users.length === 1) {
    assert.ok(performance.now() - began < 20_000, 'the mark does not end');
    await new Promise((passed) => setTimeout(passed, 50));
  }
  const lasted = performance.now() - began;
  assert.ok(lasted > 12_900 && lasted < 16_000, `it lasted ${lasted} ms`);
});

test('users and participants in batches, at their limits', async (t) => {
  const { emulator, alice } = await start(t, 'alice');
  await conversation('c1', [alice]);
  const names = Array.from({ length: 120 }, (_, i) => `user${i}`);
  await Promise.all(names.map((name) => alice.user(name).createIfNotExists({ name })));
  const found = await Promise.all([...names, 'nobody'].map((name) => alice.user(name).get()));
  assert.deepEqual(found.map((user) => user?.name ?? null), [...names, null]);
  await Promise.all(names.map((name) => alice.conversation('c1').participant(name).set({ access: 'Read' })));
  const listed = watch((on) => alice.conversation('c1').subscribeParticipants(on));
  await listed.until((p) => p?.length === 10);
  while (!listed.loadedAll) await listed.subscription.loadMore(50);
  assert.equal(listed.last.length, 121);

  // The same calls one by one, as the SDK never makes them.
  const raw = await rawSocket(emulator, 'alice');
  await raw.call('POST', '/session/renew', { token: token('alice') });
  const [status, user] = await raw.call('GET', '/users/user7');
  assert.deepEqual([status, user.name], [200, 'user7']);
  assert.equal((await raw.call('GET', '/users/nobody'))[1].errorCode, 'USER_NOT_FOUND');
  const participant = '/conversations/c1/participants/user7';
  assert.deepEqual(await raw.call('PATCH', participant, { access: 'ReadWrite' }), [200, {}]);
  assert.equal((await raw.call('POST', participant))[0], 409);
  assert.deepEqual(await raw.call('DELETE', participant), [200, {}]);
  assert.equal((await raw.call('PATCH', participant))[0], 404);
  assert.deepEqual(await raw.call('PUT', participant), [200, {}]);
  raw.close();
});

test('what asks for nothing that exists is told so, in JSON and for any origin', async (t) => {
  const { emulator } = await start(t, 'alice');
  const cases = [
    ['POST', 'files', {}, 401],
    ['POST', 'files', bearer('alice'), 400],
    ['GET', 'files/none/x.txt', {}, 404],
    ['GET', 'me/messages/search?searchString=x', {}, 401],
    ['GET', 'me/messages/search?searchString=%25', bearer('alice'), 400],
    ['GET', 'me/messages/search?cursor=AAAA', bearer('alice'), 400],
    ['GET', 'me/nothing/search', bearer('alice'), 404],
    ['PUT', 'me/messages/search', bearer('alice'), 405],
  ];
  for (const [method, rest, headers, status] of cases) {
    const response = await fetch(api(emulator, rest), { method, headers });
    assert.equal(response.status, status, rest);
    assert.equal(response.headers.get('access-control-allow-origin'), '*');
    const body = await response.json();
    assert.equal(typeof body.errorCode, 'string');
    assert.ok(Array.isArray(body.reasons));
  }
});
