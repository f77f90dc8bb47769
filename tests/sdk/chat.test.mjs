// Two and three people in a chat, by the unmodified SDK: what they see is compared with what they did.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { APP, session, signature, sockets, startEmulator, token, watch } from './harness.mjs';

// An emulator for one test, with users who exist already.
async function start(t, ...names) {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const users = {};
  for (const name of names) {
    users[name] = session(emulator, name);
    await users[name].currentUser.createIfNotExists({ name: name[0].toUpperCase() + name.slice(1) });
  }
  return { emulator, ...users };
}

// A conversation that all of the sessions are in; the first one made it.
async function conversation(id, [first, ...others], attributes = {}) {
  const ref = first.conversation(id);
  await ref.createIfNotExists(attributes);
  for (const other of others) await ref.participant(other.currentUser.id).createIfNotExists();
  return ref;
}

const texts = (messages) => messages.map((m) => m.plaintext);

test('users are created, edited and seen by others', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const seen = watch((on) => bob.user('alice').subscribe(on));
  const first = await seen.until((u) => u !== null);
  assert.deepEqual(first, {
    id: 'alice',
    name: 'Alice',
    custom: {},
    locale: null,
    photoUrl: null,
    role: 'default',
    welcomeMessage: null,
  });
  await alice.currentUser.set({
    name: 'Al',
    custom: { a: '1', b: '2' },
    locale: 'nl-NL',
    email: 'al@example.com',
  });
  await seen.until((u) => u.name === 'Al');
  await alice.currentUser.set({ custom: { a: null, c: '3' }, locale: null });
  const last = await seen.until((u) => u.locale === null);
  assert.deepEqual(last.custom, { b: '2', c: '3' });
  assert.equal(last.email, undefined);
  await alice.currentUser.createIfNotExists({ name: 'ignored' });
  assert.equal((await alice.currentUser.get()).name, 'Al');
  assert.equal(await alice.user('nobody').get(), null);
  await assert.rejects(alice.user('nameless').set({}), /400 BAD_REQUEST/);
});

test('a user who is not there yet appears', async (t) => {
  const { alice } = await start(t, 'alice');
  const seen = watch((on) => alice.user('late').subscribe(on));
  await seen.until((u) => u === null);
  await alice.user('late').createIfNotExists({ name: 'Late' });
  assert.equal((await seen.until((u) => u !== null)).name, 'Late');
});

test('being online follows the socket', async (t) => {
  const { emulator, alice } = await start(t, 'alice', 'bob');
  await alice.user('carol').createIfNotExists({ name: 'Carol' });
  const seen = watch((on) => alice.user('carol').subscribeOnline(on));
  await seen.until((o) => o !== null && !o.isConnected);
  const carol = session(emulator, 'carol');
  await carol.currentUser.get();
  await seen.until((o) => o.isConnected);
  sockets.at(-1).terminate();
  await seen.until((o) => !o.isConnected);
});

test('messages arrive on both sides, newest first', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob], { subject: 'one' });
  const a = watch((on) => alice.conversation('c1').subscribeMessages(on));
  const b = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await a.until((m) => m?.length === 0);
  await b.until((m) => m?.length === 0);
  const sent = await alice.conversation('c1').send('hello *bold* https://example.com');
  const [message] = await b.until((m) => m.length === 1);
  assert.equal(message.id, sent.id);
  assert.match(message.id, /^msg_[0-9A-Za-z]{22}$/);
  assert.equal(message.plaintext, 'hello bold https://example.com');
  assert.deepEqual(message.content, [
    {
      type: 'text',
      children: [
        'hello ',
        { type: 'bold', children: ['bold'] },
        ' ',
        { type: 'autoLink', url: 'https://example.com', text: 'https://example.com' },
      ],
    },
  ]);
  assert.equal(message.sender.name, 'Alice');
  assert.equal(message.origin, 'rest');
  assert.equal(message.type, 'UserMessage');
  await bob.conversation('c1').send({ text: 'hi back', custom: { k: 'v' }, referencedMessage: message.id });
  const [reply] = await a.until((m) => m.length === 2);
  assert.equal(reply.referencedMessage.id, message.id);
  assert.deepEqual(reply.custom, { k: 'v' });
  assert.deepEqual(texts(a.last), ['hi back', 'hello bold https://example.com']);
  await alice.conversation('c1').send({ content: [{ type: 'location', latitude: 51.5, longitude: -3.25 }] });
  await b.until((m) => m.length === 3);
  assert.deepEqual(b.last[0].content, [{ type: 'location', latitude: 51.5, longitude: -3.25 }]);
  await assert.rejects(alice.conversation('c1').send(''), /400 BAD_REQUEST/);
  await assert.rejects(alice.conversation('nowhere').send('x'), /404 CONVERSATION_NOT_FOUND/);
});

test('every kind of markup comes back under the name the SDK reads', async (t) => {
  const { alice } = await start(t, 'alice');
  await conversation('c1', [alice]);
  const seen = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  await alice
    .conversation('c1')
    .send('```code``` <!!mention:alice|Alice> <!!customemoji::cat:> ~no~ _it_\n- one\n- two');
  const [message] = await seen.until((m) => m.length === 1);
  const types = new Set();
  const walk = (nodes) =>
    nodes.forEach((n) => {
      assert.notEqual(n, null);
      if (typeof n === 'object') types.add(n.type), walk(n.children ?? []);
    });
  walk(message.content[0].children);
  assert.deepEqual(
    [...types].sort(),
    ['bulletList', 'bulletPoint', 'codeSpan', 'customEmoji', 'italic', 'mention', 'strikethrough'],
  );
});

test('messages are edited and deleted', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const b = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const list = watch((on) => bob.subscribeConversations(on));
  await b.until((m) => m?.length === 0);
  const first = await alice.conversation('c1').send('first');
  const second = await alice.conversation('c1').send({ text: 'second', referencedMessage: first.id });
  await list.until((l) => l?.[0]?.lastMessage?.plaintext === 'second');
  await alice.conversation('c1').message(second.id).edit('second, better');
  const edited = (await b.until((m) => m[0]?.plaintext === 'second, better'))[0];
  assert.ok(edited.editedAt >= edited.createdAt);
  assert.equal(edited.referencedMessage.plaintext, 'first');
  await bob.conversation('c1').message(second.id).edit({ custom: { pinned: 'yes' } });
  await b.until((m) => m[0].custom.pinned === 'yes');
  await alice.conversation('c1').message(first.id).delete();
  const [left] = await b.until((m) => m.length === 1);
  assert.equal(left.referencedMessage, null);
  await list.until((l) => l[0].unreadMessageCount === 1);
  await alice.conversation('c1').message(second.id).delete();
  await b.until((m) => m.length === 0);
  const empty = (await list.until((l) => l[0].lastMessage === null))[0];
  assert.equal(empty.unreadMessageCount, 0);
  assert.equal(empty.lastMessageAt, empty.joinedAt);
  await alice.conversation('c1').message(second.id).delete();
  assert.equal(await bob.conversation('c1').message(second.id).get(), null);
  await assert.rejects(alice.conversation('c1').message(second.id).edit('x'), /404 MESSAGE_NOT_FOUND/);
});

test('older messages are loaded page by page', async (t) => {
  const { alice } = await start(t, 'alice');
  await conversation('c1', [alice]);
  for (let i = 0; i < 75; ++i) await alice.conversation('c1').send(`m${i}`);
  const seen = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 30);
  assert.equal(seen.loadedAll, false);
  await seen.subscription.loadMore(40);
  await seen.until((m) => m.length === 70);
  await seen.subscription.loadMore(40);
  await seen.until((m, all) => m.length === 75 && all);
  assert.deepEqual(
    texts(seen.last),
    Array.from({ length: 75 }, (_, i) => `m${74 - i}`),
  );
});

test('a conversation that is cleared is empty at once', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  for (let i = 0; i < 3; i++) await bob.conversation('c1').send(`message ${i}`);
  const messages = watch((on) => alice.conversation('c1').subscribeMessages(on));
  const side = watch((on) => alice.conversation('c1').subscribe(on));
  await messages.until((m) => m?.length === 3);
  await side.until((c) => c?.unreadMessageCount === 3);
  const response = await fetch(`http://${emulator.host}/_emulator/v1/conversations/c1/clear`, { method: 'POST' });
  assert.equal(response.status, 200);
  await messages.until((m, loadedAll) => m.length === 0 && loadedAll);
  await side.until((c) => c.unreadMessageCount === 0 && !c.isUnread && c.lastMessage === null);
  await bob.conversation('c1').send('a new start');
  await messages.until((m) => m.length === 1);
  await side.until((c) => c.lastMessage?.plaintext === 'a new start' && c.unreadMessageCount === 1);
});

test('unread counts, reading, and the manual mark', async (t) => {
  const { alice, bob, carol } = await start(t, 'alice', 'bob', 'carol');
  await conversation('c1', [alice, bob, carol]);
  const a = watch((on) => alice.conversation('c1').subscribe(on));
  const b = watch((on) => bob.conversation('c1').subscribe(on));
  await a.until((c) => c !== null && c !== undefined);
  await b.until((c) => c?.unreadMessageCount === 0);
  await alice.conversation('c1').send('one');
  await alice.conversation('c1').send('two');
  const unread = await b.until((c) => c.unreadMessageCount === 2);
  assert.equal(unread.isUnread, true);
  assert.equal(unread.lastMessage.plaintext, 'two');
  assert.equal(a.last.isUnread, false);
  const sentAt = unread.lastMessage.createdAt;
  await bob.conversation('c1').markAsRead();
  await b.until((c) => c.unreadMessageCount === 0 && !c.isUnread && c.readUntil >= sentAt);
  assert.ok(a.last.everyoneReadUntil < sentAt, 'carol has not read yet');
  await carol.conversation('c1').markAsRead();
  await a.until((c) => c.everyoneReadUntil >= sentAt);
  await bob.conversation('c1').markAsUnread();
  await b.until((c) => c.isUnread && c.unreadMessageCount === 0);
  await bob.conversation('c1').send('answering reads');
  await b.until((c) => !c.isUnread);
  await a.until((c) => c.unreadMessageCount === 1);
  await assert.rejects(bob.conversation('none').markAsRead(), /404 CONVERSATION_NOT_FOUND/);
});

test('lists are ordered by activity and follow joining and leaving', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const list = watch((on) => bob.subscribeConversations(on));
  await list.until((l) => l?.length === 0);
  await conversation('c1', [alice, bob], { subject: 'one' });
  await list.until((l) => l.length === 1);
  await conversation('c2', [alice, bob], { subject: 'two' });
  await list.until((l) => l[0].id === 'c2' && l.length === 2);
  await alice.conversation('c1').send('up');
  await list.until((l) => l[0].id === 'c1' && l[0].lastMessage?.plaintext === 'up');
  await alice.conversation('c2').set({ subject: 'renamed', custom: { k: 'v' } });
  await list.until((l) => l[1].subject === 'renamed' && l[1].custom.k === 'v');
  await alice.conversation('c1').participant('bob').delete();
  await list.until((l) => l.length === 1 && l[0].id === 'c2');
  await alice.conversation('c1').participant('bob').createIfNotExists();
  const back = (await list.until((l) => l.length === 2)).find((c) => c.id === 'c1');
  assert.equal(back.unreadMessageCount, 0);
  assert.equal(back.lastMessage.plaintext, 'up');
});

test('filters decide what a list holds, at first and later', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  for (const [id, subject] of [['c1', 'one'], ['c2', 'two'], ['c3', 'three']]) {
    await conversation(id, [alice, bob], { subject, custom: id === 'c3' ? { tag: 'x' } : {} });
  }
  await alice.conversation('c2').send('unread for bob');
  const ids = (filter) => {
    const seen = watch((on) => bob.subscribeConversations({ filter }, on));
    return {
      seen,
      expect: (...expected) =>
        seen.until(
          (l) => l && JSON.stringify(l.map((c) => c.id).sort()) === JSON.stringify(expected),
          `ids ${expected}`,
        ),
    };
  };
  const unread = ids({ isUnread: true });
  const tagged = ids({ custom: { tag: 'exists' } });
  const either = ids(['any', [{ subject: ['oneOf', ['one']] }, { hasMessages: true, access: ['oneOf', ['Read', 'ReadWrite']] }]]);
  const not = ids({ custom: { tag: ['!=', 'x'] }, lastActivityAt: ['>=', 1e12] });
  await unread.expect('c2');
  await tagged.expect('c3');
  await either.expect('c1', 'c2');
  await not.expect('c1', 'c2');
  await bob.conversation('c2').markAsRead();
  await unread.expect();
  await alice.conversation('c3').send('now here');
  await unread.expect('c3');
  await either.expect('c1', 'c2', 'c3');
  await alice.conversation('c3').set({ custom: { tag: null } });
  await tagged.expect();
});

test('a long list is loaded page by page', async (t) => {
  const { alice } = await start(t, 'alice');
  for (let i = 0; i < 47; ++i) await conversation(`c${i}`, [alice]);
  const list = watch((on) => alice.subscribeConversations(on));
  await list.until((l) => l?.length === 20);
  await list.subscription.loadMore(20);
  await list.until((l) => l.length === 40);
  await list.subscription.loadMore(20);
  await list.until((l, all) => l.length === 47 && all);
  assert.equal(new Set(list.last.map((c) => c.id)).size, 47);
});

test('participants join, change, leave and come back', async (t) => {
  const { alice, bob, carol } = await start(t, 'alice', 'bob', 'carol');
  await conversation('c1', [alice]);
  const people = watch((on) => alice.conversation('c1').subscribeParticipants(on));
  const names = (list) => list?.map((p) => p.user.id).join();
  await people.until((p) => names(p) === 'alice');
  const view = watch((on) => bob.conversation('c1').subscribe(on));
  const messages = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await view.until((c) => c === null);
  await messages.until((m) => m === null);
  await alice.conversation('c1').participant('bob').createIfNotExists({ access: 'Read', notify: false });
  await people.until((p) => names(p) === 'bob,alice');
  const joined = await view.until((c) => c !== null);
  assert.equal(joined.access, 'Read');
  assert.equal(joined.notify, false);
  await messages.until((m) => m?.length === 0);
  await assert.rejects(bob.conversation('c1').send('no'), /403 UNAUTHORIZED_TO_SEND/);
  await alice.conversation('c1').participant('bob').edit({ access: 'ReadWrite' });
  await view.until((c) => c.access === 'ReadWrite');
  await people.until((p) => p[0].access === 'ReadWrite');
  await bob.conversation('c1').send('yes');
  await carol.conversation('c1').participant('carol').createIfNotExists();
  await people.until((p) => names(p) === 'carol,bob,alice');
  await bob.conversation('c1').participant('bob').delete();
  await people.until((p) => names(p) === 'carol,alice');
  await view.until((c) => c === null);
  await messages.until((m) => m === null);
  await alice.conversation('c1').participant('bob').createIfNotExists();
  await view.until((c) => c !== null);
  assert.deepEqual(texts(await messages.until((m) => m?.length === 1)), ['yes']);
  await assert.rejects(alice.conversation('c1').participant('ghost').edit({ notify: false }), /404 USER_NOT_FOUND/);
  assert.equal(await alice.conversation('c1').participant('ghost').get(), null);
  await conversation('private', [alice]);
  await assert.rejects(bob.conversation('private').participant('alice').get(), /403 NOT_A_PARTICIPANT/);
});

test('reactions, with everyone seeing his own part', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const a = watch((on) => alice.conversation('c1').subscribeMessages(on));
  const b = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const { id } = await alice.conversation('c1').send('react');
  await a.until((m) => m?.length === 1);
  await b.until((m) => m?.length === 1);
  const mine = alice.conversation('c1').message(id);
  const his = bob.conversation('c1').message(id);
  const who = watch((on) => alice.conversation('c1').message(id).reactions('👍').subscribe(on));
  await who.until((r) => r?.length === 0);
  await his.reactions('👍').add();
  await b.until((m) => m[0].reactions[0]?.currentUserReacted);
  const [seen] = (await a.until((m) => m[0].reactions.length === 1))[0].reactions;
  assert.deepEqual(seen, { emoji: '👍', count: 1, currentUserReacted: false });
  await mine.reactions('👍').add();
  await mine.reactions('👍').add();
  await mine.reactions(':cat-roomba:').add();
  await b.until((m) => m[0].reactions.length === 2 && m[0].reactions[0].count === 2);
  await who.until((r) => r.map((x) => x.user.id).join() === 'bob,alice');
  await his.reactions('👍').remove();
  await his.reactions('👍').remove();
  await a.until((m) => m[0].reactions[0].count === 1);
  await who.until((r) => r.length === 1);
  await mine.reactions(':cat-roomba:').remove();
  await b.until((m) => m[0].reactions.length === 1);
  await mine.delete();
  await who.until((r) => r === null);
  await alice.conversation('c1').send('the open list of reactions is read again, in vain');
  await a.until((m) => m.length === 1);
});

test('typing shows to others and ends with the message', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice]);
  const b = watch((on) => bob.conversation('c1').subscribeTyping(on));
  await b.until((x) => x === null);
  await alice.conversation('c1').participant('bob').createIfNotExists();
  await b.until((x) => x?.many === false && x.users.length === 0);
  const a = watch((on) => alice.conversation('c1').subscribeTyping(on));
  await a.until((x) => x?.users?.length === 0);
  await alice.conversation('c1').markAsTyping();
  await b.until((x) => x.users[0]?.id === 'alice');
  assert.equal(a.last.users.length, 0);
  await alice.conversation('c1').send('done');
  await b.until((x) => x.users.length === 0);
});

test('after a lost socket the snapshots catch up', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  await alice.conversation('c1').send('before');
  const messages = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const list = watch((on) => bob.subscribeConversations(on));
  await messages.until((m) => m?.length === 1);
  await list.until((l) => l?.length === 1);
  sockets.findLast((s) => s.url.includes('/realtime/bob?')).terminate();
  await alice.conversation('c1').send('while away');
  await conversation('c2', [alice, bob]);
  // The SDK waits 5 to 15 s before it connects again.
  await new Promise((resolve) => setTimeout(resolve, 15_500));
  await messages.until((m) => m.length === 2);
  assert.deepEqual(texts(messages.last), ['while away', 'before']);
  await list.until((l) => l.length === 2);
});

test('a token fetcher is asked, and asked again for a token that lasts', async (t) => {
  const { emulator } = await start(t, 'alice');
  let fetched = 0;
  const tokenFetcher = async () => {
    fetched += 1;
    return token('fetcher', { exp: Math.floor(Date.now() / 1000) + (fetched === 1 ? 60 : 3600) });
  };
  const fetcher = session(emulator, 'fetcher', { tokenFetcher });
  await fetcher.currentUser.createIfNotExists({ name: 'Fetcher' });
  assert.equal((await fetcher.currentUser.get()).name, 'Fetcher');
  assert.equal(fetched, 2, 'a lifetime under 120 s is renewed at once');
});

test('bokens, with and without a signature', async (t) => {
  const { emulator } = await start(t);
  const signed = session(emulator, 'bo ken/é', { signature: signature('bo ken/é') });
  await signed.currentUser.createIfNotExists({ name: 'Boken' });
  assert.equal((await signed.currentUser.get()).id, 'bo ken/é');
  const unsigned = session(emulator, 'plain', {});
  await unsigned.currentUser.createIfNotExists({ name: 'Plain' });
  const wrong = session(emulator, 'mallory', { signature: signature('alice') });
  const error = new Promise((resolve) => wrong.onError(resolve));
  await assert.rejects(wrong.currentUser.createIfNotExists({ name: 'M' }), /session was destroyed/);
  assert.match(String(await error), /valid signature/);
});

test('a wrong app, a wrong token and an expired one end the session with a reason', async (t) => {
  const { emulator } = await start(t);
  const ends = async (userId, options) => {
    const it = session(emulator, userId, options);
    const error = new Promise((resolve) => it.onError(resolve));
    it.currentUser.get().catch(() => {});
    return String((await error)?.message ?? (await error));
  };
  assert.match(await ends('alice', { appId: 'other', token: token('alice', { iss: 'other' }) }), /app ID other does not exist/);
  assert.match(await ends('alice', { token: 'not-a-jwt' }), /400/);
  for (const bad of [
    token('alice', {}, 'sk_test_wrong'),
    token('mallory'),
    token('alice', { iss: 'other' }),
    token('alice', { tokenType: 'app' }),
    token('alice', { exp: Math.floor(Date.now() / 1000) - 10 }),
  ]) {
    assert.match(await ends('alice', { token: bad }), /Cannot refresh token/);
  }
  assert.equal(APP, 'demo');
});
