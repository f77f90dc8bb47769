// More scenarios from the SDK's documentation: what is only there for a moment, what takes HTTP, and what goes wrong.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

import { session, signature, startEmulator, token, watch } from './harness.mjs';
import { addUsers, advance, control, conversation, ids, reconnectSoon, rest, settle, start, texts } from './scenario.mjs';

// --- typing and being online ---

test('typing shows to the others for ten seconds, longer if it goes on, shorter if the message comes', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  await control(emulator, 'POST', 'clock', { freeze: true });
  const seen = watch((on) => alice.conversation('c1').subscribeTyping(on));
  const own = watch((on) => bob.conversation('c1').subscribeTyping(on));
  const nobody = (s) => s?.many === false && s.users.length === 0;
  await seen.until(nobody);
  await own.until(nobody);
  await bob.conversation('c1').markAsTyping();
  await seen.until((s) => s.users?.[0]?.name === 'Bob');
  await advance(emulator, 9_900);
  await settle();
  assert.equal(seen.last.users.length, 1);
  await bob.conversation('c1').markAsTyping();
  await advance(emulator, 9_900);
  await settle();
  assert.equal(seen.last.users.length, 1);
  await advance(emulator, 200);
  await seen.until(nobody);
  await bob.conversation('c1').markAsTyping();
  await seen.until((s) => s.users.length === 1);
  await bob.conversation('c1').send('done');
  await seen.until(nobody);
  await bob.conversation('c1').markAsTyping();
  await seen.until((s) => s.users.length === 1);
  await rest(emulator, 'POST', 'conversations/c1/messages', [{ type: 'UserMessage', sender: 'bob', text: 'from elsewhere' }]);
  await seen.until(nobody);
  assert.ok(nobody(own.last), 'one does not see oneself typing');
  assert.equal((await ref.get()).unreadMessageCount, 2);
});

test('many who type are many, few are named from the longest on', async (t) => {
  const names = ['bob', 'carol', 'dave', 'erin', 'frank', 'grace'];
  const { emulator, alice, ...others } = await start(t, 'alice', ...names);
  await conversation('c1', [alice, ...names.map((name) => others[name])]);
  await control(emulator, 'POST', 'clock', { freeze: true });
  const seen = watch((on) => alice.conversation('c1').subscribeTyping(on));
  await seen.until((s) => s?.users?.length === 0);
  for (const name of names.slice(0, 5)) {
    await others[name].conversation('c1').markAsTyping();
    await advance(emulator, 100);
  }
  await seen.until((s) => s.users?.length === 5);
  assert.deepEqual(ids(seen.last.users), names.slice(0, 5));
  await others.grace.conversation('c1').markAsTyping();
  await seen.until((s) => s.many === true);
  // Whoever comes to look is told the same.
  const late = watch((on) => others.bob.conversation('c1').subscribeTyping(on));
  assert.deepEqual(ids((await late.until((s) => s?.many === false)).users), ['carol', 'dave', 'erin', 'frank', 'grace']);
  await others.carol.conversation('c1').send('done');
  await seen.until((s) => s.many === false);
  assert.deepEqual(ids(seen.last.users), ['bob', 'dave', 'erin', 'frank', 'grace']);
  await advance(emulator, 10_000);
  await seen.until((s) => s.users.length === 0);
});

test('somebody is online as long as one of his devices is', async (t) => {
  const { emulator, alice } = await start(t, 'alice');
  await addUsers(emulator, ['bob']);
  const seen = watch((on) => alice.user('bob').subscribeOnline(on));
  const first = await seen.until((s) => s !== null);
  assert.deepEqual([first.isConnected, first.user.name], [false, 'Bob']);
  const unknown = watch((on) => alice.user('ghost').subscribeOnline(on));
  await unknown.until((s) => s === null);
  const devices = [session(emulator, 'bob'), session(emulator, 'bob')];
  for (const device of devices) watch((on) => device.currentUser.subscribe(on));
  await seen.until((s) => s.isConnected);
  const open = async () => (await control(emulator, 'GET', 'connections')).connections.filter((c) => c.user === 'bob');
  while ((await open()).filter((c) => c.logged_in).length < 2) await settle(20);
  const [one, two] = await open();
  await control(emulator, 'POST', 'connections/drop', { id: one.id });
  await settle();
  assert.equal(seen.last.isConnected, true);
  await control(emulator, 'POST', 'connections/drop', { id: two.id });
  await seen.until((s) => !s.isConnected);
  await addUsers(emulator, ['ghost']);
  await unknown.until((s) => s !== null && !s.isConnected);
});

// --- reactions ---

test('reactions are counted, ordered by first use, and known as one\'s own', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const sent = await ref.send('react!');
  const a = watch((on) => alice.conversation('c1').subscribeMessages(on));
  const b = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const summary = (seen) => seen.last[0].reactions.map((r) => `${r.emoji}${r.count}${r.currentUserReacted ? '!' : ''}`).join(' ');
  const both = async (forAlice, forBob) => {
    await a.until(() => summary(a) === forAlice, forAlice);
    await b.until(() => summary(b) === forBob, forBob);
  };
  await a.until((m) => m?.length === 1);
  await b.until((m) => m?.length === 1);
  const mine = (emoji) => alice.conversation('c1').message(sent.id).reaction(emoji);
  const his = (emoji) => bob.conversation('c1').message(sent.id).reaction(emoji);
  await his('🚀').add();
  await settle(5);
  await mine(':cat-roomba:').add();
  await both('🚀1 :cat-roomba:1!', '🚀1! :cat-roomba:1');
  await mine('🚀').add();
  await mine('🚀').add();
  await both('🚀2! :cat-roomba:1!', '🚀2! :cat-roomba:1');
  await his('🚀').remove();
  await both('🚀1! :cat-roomba:1!', '🚀1 :cat-roomba:1');
  await his('🚀').remove();
  await mine(':cat-roomba:').remove();
  await both('🚀1!', '🚀1');
  await mine('🚀').remove();
  await both('', '');
  for (const invalid of ['hello', '👍👍', 'é', ':', '::', `:${'x'.repeat(49)}:`, '👍 ']) {
    await assert.rejects(mine(invalid).add(), /400/, invalid);
  }
  await mine(`:${'x'.repeat(48)}:`).add();
  await assert.rejects(alice.conversation('c1').message('msg_nothing').reaction('👍').add(), /404 MESSAGE_NOT_FOUND/);
});

test('an emoji is one reaction, however it is written', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const sent = await ref.send('react!');
  const pairs = [
    ['👍\uFE0F', '👍'],
    ['❤', '❤\uFE0F'],
    ['🏃\u200D♂', '🏃\u200D♂\uFE0F'],
    ['1\u20E3', '1\uFE0F\u20E3'],
  ];
  for (const [unqualified, qualified] of pairs) {
    await ref.message(sent.id).reaction(unqualified).add();
    await bob.conversation('c1').message(sent.id).reaction(qualified).add();
    await settle(5);
  }
  const { reactions } = await ref.message(sent.id).get();
  assert.deepEqual(reactions.map((r) => [r.emoji, r.count]), pairs.map(([, qualified]) => [qualified, 2]));
  for (const [unqualified] of pairs) await bob.conversation('c1').message(sent.id).reaction(unqualified).remove();
  for (const [, qualified] of pairs) await ref.message(sent.id).reaction(qualified).remove();
  assert.deepEqual((await ref.message(sent.id).get()).reactions, []);
});

test('who reacted is listed, oldest first, in pages', async (t) => {
  const { emulator, alice } = await start(t, 'alice');
  const names = Array.from({ length: 45 }, (_, i) => `user${String(i).padStart(2, '0')}`);
  await addUsers(emulator, names);
  const ref = await conversation('c1', [alice]);
  const sent = await ref.send('popular');
  const react = (name, method) =>
    rest(emulator, method, `conversations/c1/messages/${sent.id}/reactions/${encodeURIComponent('🚀')}/${name}`);
  for (const name of names.slice(0, 44)) await react(name, 'PUT');
  const list = ref.message(sent.id).reactions('🚀');
  assert.deepEqual((await list.getFirstReactions()).map((r) => r.user.id), names.slice(0, 10));
  const seen = watch((on) => list.subscribe(on));
  await seen.until((r) => r?.length > 0);
  const first = seen.last.length;
  assert.equal(seen.loadedAll, false);
  await seen.subscription.loadMore(5);
  await seen.until((r) => r.length === first + 5);
  await seen.subscription.loadMore(100);
  await seen.until((r, all) => all);
  assert.deepEqual(seen.last.map((r) => r.user.id), names.slice(0, 44));
  await react(names[44], 'PUT');
  await seen.until((r) => r.length === 45);
  await react(names[0], 'DELETE');
  await seen.until((r) => r.length === 44 && r[0].user.id === names[1]);
  await ref.message(sent.id).delete();
  await seen.until((r) => r === null);
  // The list is asked for again with every new message, and is not there any more.
  await ref.send('next');
  await settle();
  assert.equal(seen.last, null);
  assert.equal(seen.subscription.state.type, 'active');
});

test('a message takes fifty different emoji', async (t) => {
  const { alice } = await start(t, 'alice');
  const ref = await conversation('c1', [alice]);
  const message = ref.message((await ref.send('x')).id);
  for (let i = 0; i < 50; ++i) await message.reaction(`:e${i}:`).add();
  await assert.rejects(message.reaction(':e50:').add(), /400/);
  await message.reaction(':e7:').remove();
  await message.reaction(':e50:').add();
  assert.equal((await message.get()).reactions.length, 50);
});

// --- searching ---

test('conversations are found by the words of their subject, or of custom.search', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('rainbows', [alice], { subject: 'I like to look at rainbows' });
  await conversation('kittens', [alice], { subject: 'Kittens', custom: { search: 'where to buy food' } });
  await conversation('search', [alice], { subject: 'Other', custom: { search: 'Kittens' } });
  await conversation('bobs', [bob], { subject: 'rainbows kittens' });
  const search = alice.searchConversations();
  const found = async (query, filters) => ids((await search.setQuery(query, filters)).results).sort().join();
  for (const query of ['rainbows', 'rain', 'look at', '(look, i *LIKE* rain)', 'look look look!', 'RAINBOWS.']) {
    assert.equal(await found(query), 'rainbows', query);
  }
  for (const query of ['bows', 'rain-bows', 'look-at', 'I like to look at rainbows too', 'kitten food', '']) {
    assert.equal(await found(query), '', query);
  }
  assert.equal(await found('kittens'), 'kittens,search');
  assert.equal(await found('buy'), 'kittens');
  assert.equal(await found('kittens', { conversation: { subject: ['!=', 'Kittens'] } }), 'search');
  await alice.conversation('search').set({ custom: { search: 'Puppies' } });
  assert.equal(await found('kittens'), 'kittens');
  for (let i = 0; i < 12; ++i) await conversation(`p${i}`, [alice], { subject: `page ${i}` });
  const first = await search.setQuery('page');
  assert.deepEqual([ids(first.results), first.loadedAll], [['p11', 'p10', 'p9'], false]);
  assert.equal((await search.loadMore(5)).results.length, 8);
  const last = await search.loadMore();
  assert.deepEqual([last.results.length, last.loadedAll], [12, true]);
});

test('messages are found newest first, as they are now, where one is', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob], { subject: 'one' });
  await conversation('c2', [alice, bob], { subject: 'two' });
  await conversation('c3', [bob], { subject: 'three' });
  const sent = {};
  for (const [where, text] of [
    ['c1', 'Apples and *pears*'],
    ['c2', 'no fruit'],
    ['c3', 'apples for bob only'],
    ['c2', 'apple-sauce'],
    ['c1', '100% "Äpfel"'],
  ]) {
    sent[text] = await bob.conversation(where).send(text);
  }
  const statuses = [];
  const search = alice.searchMessages((results, status) => statuses.push(status));
  const found = async (query, filters) => {
    const { results } = await search.setQuery(query, filters);
    return results.map((r) => `${r.conversation.id}:${r.message.plaintext}`);
  };
  assert.deepEqual(await found('apple'), ['c2:apple-sauce', 'c1:Apples and pears']);
  assert.equal(statuses.at(-1), 'loadedAll');
  assert.ok(statuses.includes('searching'));
  assert.deepEqual(await found('PEARS apples'), ['c1:Apples and pears']);
  assert.deepEqual(await found('sauce'), []);
  assert.deepEqual(await found('100%'), ['c1:100% "Äpfel"']);
  assert.deepEqual(await found('äpfel'), ['c1:100% "Äpfel"']);
  assert.deepEqual(await found('apple', { conversation: { subject: ['==', 'one'] } }), ['c1:Apples and pears']);
  await bob.conversation('c1').message(sent['Apples and *pears*'].id).edit('plums');
  await bob.conversation('c2').message(sent['apple-sauce'].id).delete();
  assert.deepEqual(await found('apple'), []);
  assert.deepEqual(await found('plum'), ['c1:plums']);
  const many = Array.from({ length: 10 }, (_, i) => ({ type: 'UserMessage', sender: 'bob', text: `page ${i}` }));
  for (const where of ['c1', 'c2', 'c1']) await rest(emulator, 'POST', `conversations/${where}/messages`, many);
  const first = await search.setQuery('page');
  assert.deepEqual([first.results.length, first.loadedAll, statuses.at(-1)], [3, false, 'canLoadMore']);
  assert.equal((await search.loadMore()).results.length, 13);
  const all = await search.loadMore(50);
  assert.deepEqual([all.results.length, all.loadedAll], [30, true]);
  const times = all.results.map((r) => r.message.createdAt);
  assert.deepEqual(times, [...times].sort((x, y) => y - x));
});

// --- files and translations ---

test('files of every kind arrive with what was said of them, and may be sent again', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  await conversation('c2', [alice, bob]);
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  const blob = (text, type) => new Blob([text], { type });
  const files = [
    [await alice.uploadFile(blob('plain'), { filename: 'notes (1).txt' }), { filename: 'notes (1).txt', size: 5 }, '📎'],
    [
      await alice.uploadImage(blob('image!', 'image/png'), { filename: 'ä.png', width: 640, height: 480 }),
      { subtype: 'image', filename: 'ä.png', size: 6, width: 640, height: 480 },
      '📷',
    ],
    [
      await alice.uploadVideo(blob('video', 'video/mp4'), { filename: 'v.mp4', width: 1, height: 2, duration: 1.5 }),
      { subtype: 'video', filename: 'v.mp4', size: 5, width: 1, height: 2, duration: 1.5 },
      '🎥',
    ],
    [
      await alice.uploadAudio(blob('audio', 'audio/mpeg'), { filename: 'a.mp3', duration: 61 }),
      { subtype: 'audio', filename: 'a.mp3', size: 5, duration: 61 },
      '🎧',
    ],
    [
      await alice.uploadVoice(blob('voice', 'audio/webm'), { filename: 'me.webm', duration: 3.25 }),
      { subtype: 'voice', filename: 'me.webm', size: 5, duration: 3.25 },
      '🎙️',
    ],
  ];
  for (const [fileToken, expected, sign] of files) {
    const sent = await ref.send({ content: [{ type: 'file', fileToken }] });
    const [message] = await seen.until((m) => m[0]?.id === sent.id);
    const { url, ...block } = message.content[0];
    assert.deepEqual(block, { type: 'file', fileToken: block.fileToken, ...expected });
    assert.ok(message.plaintext.startsWith(sign), message.plaintext);
    const download = await fetch(url);
    assert.equal(download.status, 200);
    assert.equal((await download.arrayBuffer()).byteLength, expected.size);
    assert.equal(download.headers.get('access-control-allow-origin'), '*');
  }
  // The receiver passes one on, as he got it.
  await bob.conversation('c2').send({ content: seen.last.at(-1).content });
  const there = watch((on) => alice.conversation('c2').subscribeMessages(on));
  const [passed] = await there.until((m) => m?.length === 1);
  assert.deepEqual(passed.content, seen.last.at(-1).content);
  // A text becomes a file.
  const text = await ref.send('see attachment');
  await ref.message(text.id).edit({ content: [{ type: 'file', fileToken: files[0][0] }] });
  await seen.until((m) => m[0].content[0].type === 'file');
});

test('a translation says what it was made for', async (t) => {
  const { alice, bob, eve } = await start(t, 'alice', 'bob', 'eve');
  const ref = await conversation('c1', [alice, bob]);
  const text = await ref.send('Hello *you* :) https://example.com');
  const place = await ref.send({ content: [{ type: 'location', latitude: 1, longitude: 2 }] });
  const there = bob.conversation('c1');
  const french = await there.message(text.id).translate('fr');
  assert.equal(french.plaintext, 'fr Hello you :) https://example.com');
  assert.deepEqual(french.content[0].children.filter((n) => n.type === 'bold').map((n) => n.children[0]), ['fr', 'you']);
  assert.equal((await there.message(text.id).translate('en-US')).plaintext, 'en Hello you :) https://example.com');
  assert.equal((await there.message(text.id).translate('zh-TW')).plaintext, 'zh-TW Hello you :) https://example.com');
  assert.deepEqual((await there.message(place.id).translate('fr')).content, [{ type: 'location', latitude: 1, longitude: 2 }]);
  assert.equal(await there.message('msg_nothing').translate('fr'), null);
  const together = await Promise.all([text.id, place.id].flatMap((id) => ['de', 'es'].map((l) => there.message(id).translate(l))));
  assert.deepEqual(together.map((one) => one.plaintext.slice(0, 2)), ['de', 'es', '📍', '📍']);
  await assert.rejects(eve.conversation('c1').message(text.id).translate('fr'), /403/);
  await assert.rejects(bob.conversation('nowhere').message(text.id).translate('fr'), /404/);
});

// --- tokens ---

test('a session outlives its tokens as long as new ones come', async (t) => {
  const { emulator, bob } = await start(t, 'bob');
  await addUsers(emulator, ['alice']);
  let asked = 0;
  const tokenFetcher = async () => {
    ++asked;
    const { now } = await control(emulator, 'GET', 'clock');
    return token('alice', { exp: Math.floor(now / 1000) + 3600 });
  };
  const alice = session(emulator, 'alice', { tokenFetcher });
  await conversation('c1', [bob, alice]);
  const seen = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  assert.equal(asked, 1);
  for (const hour of [1, 2]) {
    await advance(emulator, 3_601_000);
    // bob's own token is good for a day.
    await bob.conversation('c1').send(`after ${hour} h`);
    await seen.until((m) => m.length === hour && texts(m)[0] === `after ${hour} h`);
    assert.equal(asked, hour + 1);
  }
  await alice.conversation('c1').send('still here');
  await seen.until((m) => texts(m).join() === 'still here,after 2 h,after 1 h');
});

test('without a new token the session ends and says why', async (t) => {
  const { emulator } = await start(t, 'bob');
  const alice = session(emulator, 'alice', { token: token('alice', { exp: Math.floor(Date.now() / 1000) + 3600 }) });
  await alice.currentUser.createIfNotExists({ name: 'Alice' });
  const failed = new Promise((resolve) => alice.onError(resolve));
  watch((on) => alice.currentUser.subscribe(on));
  await settle(50);
  await advance(emulator, 3_601_000);
  assert.match((await failed).message, /Cannot refresh token/);
  await assert.rejects(alice.conversation('c1').createIfNotExists(), /destroyed/);
  for (const claims of [{ sub: 'bob' }, { iss: 'other' }, { tokenType: 'app' }]) {
    const wrong = session(emulator, 'alice', { token: token('alice', claims) });
    const error = new Promise((resolve) => wrong.onError(resolve));
    wrong.currentUser.get().catch(() => {});
    assert.match((await error).message, /Cannot refresh token/, JSON.stringify(claims));
  }
  const forged = session(emulator, 'alice', { signature: signature('bob') });
  const error = new Promise((resolve) => forged.onError(resolve));
  forged.currentUser.get().catch(() => {});
  assert.match((await error).message, /signature/);
});

test('a token may come late', async (t) => {
  const { emulator } = await start(t, 'bob');
  const { now } = await control(emulator, 'GET', 'clock');
  const alice = session(emulator, 'alice', { token: undefined });
  let asked = 0;
  alice.onNeedToken = () => {
    ++asked;
    setTimeout(() => alice.setToken(token('alice', { exp: Math.floor(now / 1000) + 7200 })), 100);
  };
  await alice.currentUser.createIfNotExists({ name: 'Alice' });
  assert.equal((await alice.currentUser.get()).name, 'Alice');
  assert.equal(asked, 1);
  await control(emulator, 'POST', 'connections/expire', { user: 'alice' });
  await alice.currentUser.set({ name: 'Al' });
  assert.equal((await alice.currentUser.get()).name, 'Al');
  assert.equal(asked, 2);
});

// --- when things go wrong ---

test('what happened while the line was cut is there afterwards, and what was sent is there once', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  reconnectSoon(t);
  const ref = await conversation('c1', [alice, bob]);
  const list = watch((on) => alice.subscribeConversations(on));
  const seen = watch((on) => ref.subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  await list.until((l) => l.length === 1);
  // The answer to the message is lost with the connection: the SDK sends it again.
  const rule = await control(emulator, 'POST', 'faults', {
    on: 'answer', user: 'alice', path: '/conversations/c1/messages', nth: 1, action: 'drop',
  });
  const sent = ref.send('once');
  await bob.conversation('c1').send('while you were away');
  await conversation('c2', [bob, alice], { subject: 'new' });
  const kept = ref.send('kept');
  const [first, second] = await Promise.all([sent, kept]);
  await seen.until((m) => m.length === 3, undefined, 20_000);
  assert.deepEqual(new Set(texts(seen.last)), new Set(['once', 'while you were away', 'kept']));
  assert.ok([first.id, second.id].every((id) => ids(seen.last).includes(id)));
  await list.until((l) => l.length === 2 && l.some((c) => c.subject === 'new'));
  const fired = await control(emulator, 'GET', `faults/${rule.id}`);
  // Once lost, once again, and the other message.
  assert.deepEqual([fired.matched, fired.fired], [3, 1]);
});

test('a restart with --data-dir in the middle of a chat', async (t) => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'talkjs-scenario-'));
  t.after(() => rm(directory, { recursive: true }));
  reconnectSoon(t);
  let emulator = await startEmulator('--data-dir', directory);
  t.after(() => emulator.stop());
  const [alice, bob] = ['alice', 'bob'].map((name) => session(emulator, name));
  await alice.currentUser.createIfNotExists({ name: 'Alice' });
  await bob.currentUser.createIfNotExists({ name: 'Bob' });
  const ref = await conversation('c1', [alice, bob], { subject: 'kept' });
  const fileToken = await alice.uploadFile(new Blob(['abc']), { filename: 'a.txt' });
  await ref.send({ content: [{ type: 'file', fileToken }] });
  const sent = await ref.send({ text: '*before*', custom: { k: 'v' } });
  await bob.conversation('c1').message(sent.id).reaction('🚀').add();
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const list = watch((on) => bob.subscribeConversations(on));
  await seen.until((m) => m?.[0]?.reactions.length === 1);
  const before = await list.until((l) => l[0]?.unreadMessageCount === 2);
  const { host } = emulator;
  await emulator.kill();
  const meanwhile = bob.conversation('c1').send('meanwhile');
  emulator = await startEmulator('--data-dir', directory, '--listen', host);
  await meanwhile;
  await seen.until((m) => m.length === 3, undefined, 30_000);
  const [last, text, file] = seen.last;
  assert.equal(last.plaintext, 'meanwhile');
  assert.deepEqual([text.plaintext, text.custom, text.reactions], ['before', { k: 'v' }, [{ emoji: '🚀', count: 1, currentUserReacted: true }]]);
  assert.equal(await (await fetch(file.content[0].url)).text(), 'abc');
  await list.until((l) => l[0].unreadMessageCount === 0 && l[0].lastMessage?.plaintext === 'meanwhile', undefined, 30_000);
  assert.equal(list.last[0].joinedAt, before[0].joinedAt);
  assert.equal(list.last[0].subject, 'kept');
  await ref.send('and on it goes');
  await seen.until((m) => m.length === 4, undefined, 30_000);
});

test('an expired session, a refused token, 429 and 500 are got over', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  const carol = session(emulator, 'carol', { tokenFetcher: () => token('carol') });
  await carol.currentUser.createIfNotExists({ name: 'Carol' });
  const ref = await conversation('c1', [alice, bob, carol]);
  const seen = watch((on) => carol.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  const rules = [
    { action: 'refuse_token', user: 'carol', times: 2 },
    { on: 'request', user: 'carol', method: 'POST', path: '/conversations/*/messages', action: 'status', status: 429, times: 2 },
    { on: 'answer', user: 'carol', method: 'POST', path: '/conversations/*/messages', action: 'status', status: 500, times: 3 },
  ];
  const added = [];
  for (const rule of rules) added.push((await control(emulator, 'POST', 'faults', rule)).id);
  await control(emulator, 'POST', 'connections/expire', { user: 'carol' });
  const sent = await carol.conversation('c1').send('patience');
  await ref.send('good');
  await seen.until((m) => texts(m).join() === 'good,patience');
  assert.equal(seen.last[1].id, sent.id);
  for (const [i, id] of added.entries()) {
    assert.equal((await control(emulator, 'GET', `faults/${id}`)).fired, rules[i].times, rules[i].action);
  }
});
