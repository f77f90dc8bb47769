// Scenarios from the SDK's own documentation: users, participants, who sees what, and what ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { session, startEmulator, token, watch } from './harness.mjs';
import { addUsers, conversation, ids, rest, settle, start, texts } from './scenario.mjs';

test('a user is what was set, and null resets', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const seen = watch((on) => bob.user('alice').subscribe(on));
  const defaults = {
    id: 'alice', name: 'Alice', custom: {}, locale: null, photoUrl: null, role: 'default', welcomeMessage: null,
  };
  assert.deepEqual(await seen.until((u) => u !== null), defaults);
  const full = {
    name: 'Al', custom: { a: '1', b: '2' }, locale: 'nl-NL', photoUrl: 'https://example.com/al.png', role: 'admin',
    welcomeMessage: 'Hi!',
  };
  await alice.currentUser.set({ ...full, email: 'al@example.com', phone: ['+31612345678'], pushTokens: { 'fcm:x': true } });
  assert.deepEqual(await seen.until((u) => u.name === 'Al'), { id: 'alice', ...full });
  await alice.currentUser.set({ custom: { a: null, c: '3' } });
  assert.deepEqual((await seen.until((u) => u.custom.c === '3')).custom, { b: '2', c: '3' });
  await alice.currentUser.set({ locale: null, photoUrl: null, role: null, welcomeMessage: null, custom: null });
  assert.deepEqual(await seen.until((u) => u.locale === null), { ...defaults, name: 'Al' });
  await alice.currentUser.createIfNotExists({ name: 'Ignored' });
  assert.equal((await bob.user('alice').get()).name, 'Al');
});

test('attributes of a conversation: made once, set, patched and reset', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob], { subject: 'first', custom: { a: '1' }, welcomeMessages: ['hello', 'you'] });
  const seen = watch((on) => bob.conversation('c1').subscribe(on));
  const first = await seen.until((c) => c !== null);
  assert.equal(first.subject, 'first');
  assert.deepEqual(first.welcomeMessages, ['hello', 'you']);
  assert.equal(first.photoUrl, null);
  await alice.conversation('c1').createIfNotExists({ subject: 'ignored' });
  await alice.conversation('c1').set({ photoUrl: 'https://example.com/p.png', custom: { b: '2' } });
  const second = await seen.until((c) => c.photoUrl !== null);
  assert.equal(second.subject, 'first');
  assert.deepEqual(second.custom, { a: '1', b: '2' });
  await alice.conversation('c1').set({ subject: null, photoUrl: null, welcomeMessages: null, custom: { a: null } });
  const third = await seen.until((c) => c.subject === null);
  assert.deepEqual([third.photoUrl, third.welcomeMessages, third.custom], [null, [], { b: '2' }]);
  await alice.conversation('c1').set({ custom: null });
  await seen.until((c) => Object.keys(c.custom).length === 0);
  assert.equal(third.createdAt, first.createdAt);
});

test('participants: newest first, with their settings, as they come, change and go', async (t) => {
  const { alice, bob, carol } = await start(t, 'alice', 'bob', 'carol');
  const ref = await conversation('c1', [alice, bob]);
  const seen = watch((on) => alice.conversation('c1').subscribeParticipants(on));
  const two = await seen.until((p, all) => p?.length === 2 && all);
  assert.deepEqual(two.map((p) => p.user.name), ['Bob', 'Alice']);
  assert.deepEqual([two[0].access, two[0].notify], ['ReadWrite', true]);
  const one = watch((on) => alice.conversation('c1').participant('carol').subscribe(on));
  await one.until((p) => p === null);
  await ref.participant('carol').createIfNotExists({ access: 'Read', notify: 'MentionsOnly' });
  const [first] = await seen.until((p) => p.length === 3);
  assert.deepEqual([first.user.id, first.access, first.notify], ['carol', 'Read', 'MentionsOnly']);
  assert.ok(first.joinedAt > two[0].joinedAt);
  await one.until((p) => p?.access === 'Read');
  const own = watch((on) => carol.conversation('c1').subscribe(on));
  await own.until((c) => c?.access === 'Read');
  await ref.participant('carol').edit({ access: 'ReadWrite' });
  await one.until((p) => p.access === 'ReadWrite' && p.notify === 'MentionsOnly');
  await own.until((c) => c.access === 'ReadWrite');
  await ref.participant('carol').set({ notify: null });
  await one.until((p) => p.notify === true && p.access === 'ReadWrite');
  await ref.participant('carol').createIfNotExists({ access: 'Read' });
  assert.equal((await ref.participant('carol').get()).access, 'ReadWrite');
  await ref.participant('carol').delete();
  await ref.participant('carol').delete();
  await seen.until((p) => p.length === 2);
  await one.until((p) => p === null);
  await own.until((c) => c === null);
  assert.equal(await ref.participant('carol').get(), null);
  await assert.rejects(ref.participant('carol').edit({ notify: false }), /404 PARTICIPANT_NOT_FOUND/);
  await assert.rejects(ref.participant('nobody').createIfNotExists(), /404 USER_NOT_FOUND/);
});

test('many participants are added in one go and loaded in pages', async (t) => {
  const { emulator, alice } = await start(t, 'alice');
  const names = Array.from({ length: 75 }, (_, i) => `user${String(i).padStart(2, '0')}`);
  await addUsers(emulator, names);
  const ref = await conversation('c1', [alice]);
  await Promise.all(names.map((name) => ref.participant(name).createIfNotExists()));
  const seen = watch((on) => ref.subscribeParticipants(on));
  await seen.until((p) => p?.length === 10);
  assert.equal(seen.loadedAll, false);
  await seen.subscription.loadMore();
  await seen.until((p) => p.length === 20);
  await seen.subscription.loadMore(50);
  await seen.until((p) => p.length === 70);
  await seen.subscription.loadMore(50);
  await seen.until((p, all) => all);
  assert.deepEqual(seen.last.map((p) => p.user.id), [...names.toReversed(), 'alice']);
  assert.ok(seen.last.every((p, i, all) => i === 0 || p.joinedAt < all[i - 1].joinedAt));
  await assert.rejects(async () => seen.subscription.loadMore(51));
});

test('who may only read reads, and is told when he sends', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice]);
  await ref.participant('bob').createIfNotExists({ access: 'Read' });
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  await ref.send('news');
  await seen.until((m) => m.length === 1);
  assert.equal((await bob.conversation('c1').get()).access, 'Read');
  await assert.rejects(bob.conversation('c1').send('may I?'), /403/);
  await bob.conversation('c1').markAsRead();
  await ref.participant('bob').edit({ access: null });
  await bob.conversation('c1').send('thanks');
  await seen.until((m) => m.length === 2);
});

test('leaving takes everything away, coming back shows it all again', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  await ref.send('before');
  const there = bob.conversation('c1');
  const list = watch((on) => bob.subscribeConversations(on));
  const side = watch((on) => there.subscribe(on));
  const messages = watch((on) => there.subscribeMessages(on));
  const people = watch((on) => there.subscribeParticipants(on));
  const typing = watch((on) => there.subscribeTyping(on));
  await list.until((l) => l.length === 1);
  const first = await side.until((c) => c?.lastMessage?.plaintext === 'before');
  await messages.until((m) => m?.length === 1);
  await people.until((p) => p?.length === 2);
  await typing.until((s) => s?.users?.length === 0);
  await there.participant('bob').delete();
  await list.until((l) => l.length === 0);
  for (const one of [side, messages, people, typing]) await one.until((snapshot) => snapshot === null);
  await ref.send('meanwhile');
  await ref.markAsTyping();
  await settle();
  for (const one of [side, messages, people, typing]) assert.equal(one.last, null);
  await assert.rejects(there.send('still here?'), /403 NOT_A_PARTICIPANT/);
  await there.set({ notify: false });
  const again = await side.until((c) => c !== null);
  assert.equal(again.notify, false);
  assert.ok(again.joinedAt > first.joinedAt);
  await side.until((c) => c.unreadMessageCount === 0 && c.lastMessage?.plaintext === 'meanwhile');
  await messages.until((m) => m !== null && texts(m).join() === 'meanwhile,before');
  await people.until((p) => p?.length === 2 && p[0].user.id === 'bob');
  await typing.until((s) => s?.users?.[0]?.id === 'alice');
  await list.until((l) => ids(l).join() === 'c1');
});

test('outside a conversation there is nothing to see', async (t) => {
  const { alice, bob, eve } = await start(t, 'alice', 'bob', 'eve');
  const ref = await conversation('secret', [alice, bob], { subject: 'secret' });
  const sent = await ref.send('for bob only');
  const there = eve.conversation('secret');
  const seen = [
    watch((on) => there.subscribe(on)),
    watch((on) => there.subscribeMessages(on)),
    watch((on) => there.subscribeParticipants(on)),
    watch((on) => there.subscribeTyping(on)),
    watch((on) => there.participant('bob').subscribe(on)),
    watch((on) => there.message(sent.id).reactions('👍').subscribe(on)),
  ];
  for (const one of seen.slice(0, 4)) await one.until((snapshot) => snapshot === null);
  await seen[5].until((snapshot) => snapshot === null);
  assert.equal(await there.get(), null);
  assert.equal(await there.message(sent.id).get(), null);
  assert.equal(await there.message(sent.id).reactions('👍').getFirstReactions(), null);
  await assert.rejects(there.participant('bob').get(), /403 NOT_A_PARTICIPANT/);
  for (const call of [
    () => there.send('let me in'),
    () => there.message(sent.id).edit('mine now'),
    () => there.message(sent.id).delete(),
    () => there.message(sent.id).reaction('👍').add(),
    () => there.message(sent.id).translate('fr'),
    () => there.markAsRead(),
    () => there.markAsUnread(),
    () => there.markAsTyping(),
    () => there.participant('bob').delete(),
    () => there.participant('alice').edit({ access: 'Read' }),
  ]) {
    await assert.rejects(call(), /403 NOT_A_PARTICIPANT/, call.toString());
  }
  // Everything that happens there goes by.
  await ref.message(sent.id).reaction('👍').add();
  await ref.message(sent.id).edit('changed');
  await ref.markAsTyping();
  await ref.send('more');
  await ref.participant('bob').edit({ notify: false });
  await ref.set({ subject: 'still secret' });
  await ref.message(sent.id).delete();
  await settle();
  for (const one of [...seen.slice(0, 4), seen[5]]) assert.equal(one.last, null);
  assert.equal((await eve.searchMessages().setQuery('more')).results.length, 0);
  assert.equal((await eve.searchConversations().setQuery('secret')).results.length, 0);
});

test('a thousand users are asked for at once', async (t) => {
  const { emulator, alice } = await start(t, 'alice');
  const names = Array.from({ length: 1100 }, (_, i) => `u${i}`);
  for (let i = 0; i < names.length; i += 100) await addUsers(emulator, names.slice(i, i + 100));
  const found = await Promise.all([...names, 'nobody'].map((name) => alice.user(name).get()));
  assert.equal(found.pop(), null);
  assert.deepEqual(found.map((user) => user.name), names.map((name) => name.toUpperCase()));
});

test('what ends with its subscription: nothing comes after unsubscribe, errors end the one concerned', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const first = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const second = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const state = await first.subscription.connected;
  assert.deepEqual([state.type, state.latestSnapshot, state.loadedAll], ['active', [], true]);
  first.subscription.unsubscribe();
  assert.equal((await first.subscription.terminated).type, 'unsubscribed');
  await ref.send('hello');
  await second.until((m) => m.length === 1);
  assert.equal(first.last.length, 0);
  assert.equal(second.subscription.state.type, 'active');
});

test('the app server deletes a conversation under everybody', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob], { subject: 'first' });
  await alice.conversation('c1').send('gone soon');
  const list = watch((on) => bob.subscribeConversations(on));
  const messages = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await list.until((l) => l.length === 1);
  await messages.until((m) => m?.length === 1);
  await rest(emulator, 'DELETE', 'conversations/c1');
  await list.until((l) => l.length === 0);
  await messages.until((m) => m === null);
  await assert.rejects(alice.conversation('c1').send('hello?'), /404 CONVERSATION_NOT_FOUND/);
  await conversation('c1', [alice, bob], { subject: 'second' });
  await list.until((l) => l[0]?.subject === 'second' && l[0].lastMessage === null);
  await messages.until((m) => m?.length === 0);
});

test('without a token a session has the token of a guest, unless the app id is wrong', async (t) => {
  const emulator = await startEmulator();
  t.after(() => emulator.stop());
  const guest = session(emulator, 'guest', {});
  await guest.currentUser.createIfNotExists({ name: 'Guest' });
  assert.equal((await guest.currentUser.get()).name, 'Guest');
  const lost = session(emulator, 'guest', { appId: 'elsewhere', token: token('guest', { iss: 'elsewhere' }) });
  const error = await new Promise((resolve) => lost.onError(resolve));
  assert.match(error.message, /app ID elsewhere does not exist/i);
});
