// Scenarios from the SDK's own documentation: what is written, changed, deleted and read in a conversation.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { session, watch } from './harness.mjs';
import { conversation, ids, rest, settle, start, texts } from './scenario.mjs';

// --- messages ---

test('the window of messages grows at both ends', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  for (let i = 0; i < 17; ++i) {
    const batch = Array.from({ length: 10 }, (_, k) => ({ type: 'UserMessage', sender: 'bob', text: `m${i * 10 + k}` }));
    await rest(emulator, 'POST', 'conversations/c1/messages', batch);
  }
  const expected = (newest, count) => Array.from({ length: count }, (_, i) => `m${newest - i}`);
  const seen = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 30);
  assert.deepEqual(texts(seen.last), expected(169, 30));
  await bob.conversation('c1').send('m170');
  await seen.until((m) => m.length === 31);
  // Of two calls at once, the larger one counts.
  await Promise.all([seen.subscription.loadMore(5), seen.subscription.loadMore(10)]);
  await seen.until((m) => m.length === 41);
  await seen.subscription.loadMore();
  await seen.until((m) => m.length === 71);
  assert.deepEqual(texts(seen.last), expected(170, 71));
  assert.equal(seen.loadedAll, false);
  await seen.subscription.loadMore(100);
  await seen.until((m, all) => all);
  assert.deepEqual(texts(seen.last), expected(170, 171));
  const times = seen.last.map((m) => m.createdAt);
  assert.deepEqual(times, [...times].sort((a, b) => b - a));
  assert.equal(new Set(ids(seen.last)).size, 171);
  await assert.rejects(async () => seen.subscription.loadMore(101));
});

test('an edit shows everywhere: text, custom, and even what kind of message it is', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const list = watch((on) => bob.subscribeConversations(on));
  await seen.until((m) => m?.length === 0);
  await list.until((l) => l.length === 1);
  const sent = await ref.send({ text: 'frist', custom: { a: '1', b: '2' } });
  const [before] = await seen.until((m) => m.length === 1);
  assert.equal(before.editedAt, null);
  await ref.message(sent.id).edit('*first*');
  const [text] = await seen.until((m) => m[0].plaintext === 'first');
  assert.deepEqual(text.content, [{ type: 'text', children: [{ type: 'bold', children: ['first'] }] }]);
  assert.ok(text.editedAt >= text.createdAt);
  assert.deepEqual(text.custom, { a: '1', b: '2' });
  assert.equal(text.createdAt, before.createdAt);
  await list.until((l) => l[0]?.lastMessage?.plaintext === 'first');
  await ref.message(sent.id).edit({ custom: { a: null, c: '3' } });
  const [custom] = await seen.until((m) => m[0].custom.c === '3');
  assert.deepEqual(custom.custom, { b: '2', c: '3' });
  assert.equal(custom.plaintext, 'first');
  await ref.message(sent.id).edit({ text: 'both', custom: null });
  await seen.until((m) => m[0].plaintext === 'both' && Object.keys(m[0].custom).length === 0);
  await ref.message(sent.id).edit({ content: [{ type: 'location', latitude: 1.5, longitude: -2.25 }] });
  const [place] = await seen.until((m) => m[0].content[0].type === 'location');
  assert.equal(place.content[0].latitude, 1.5);
  assert.equal(place.plaintext, '📍');
  assert.deepEqual((await ref.message(sent.id).get()).content, place.content);
  assert.equal(list.last[0].unreadMessageCount, 1, 'an edit is no new message');
});

test('deleting: in the middle, at the end, again, and what never was', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const side = watch((on) => bob.conversation('c1').subscribe(on));
  await seen.until((m) => m?.length === 0);
  await side.until((c) => c !== null);
  const sent = [];
  for (const text of ['one', 'two', 'three']) sent.push(await ref.send(text));
  await side.until((c) => c?.unreadMessageCount === 3 && c.lastMessage?.plaintext === 'three');
  await ref.message(sent[1].id).delete();
  await seen.until((m) => texts(m).join() === 'three,one');
  await side.until((c) => c.unreadMessageCount === 2);
  assert.equal(side.last.lastMessage.plaintext, 'three');
  await bob.conversation('c1').message(sent[2].id).delete();
  await side.until((c) => c.lastMessage?.plaintext === 'one' && c.unreadMessageCount === 1);
  await ref.message(sent[2].id).delete();
  await ref.message('msg_thatneverwasatall000000').delete();
  assert.equal(await ref.message(sent[2].id).get(), null);
  await assert.rejects(ref.message(sent[2].id).edit('too late'), /404 MESSAGE_NOT_FOUND/);
  await ref.message(sent[0].id).delete();
  await side.until((c) => c.lastMessage === null && c.unreadMessageCount === 0 && !c.isUnread);
});

test('a reply carries what it refers to, wherever that is, and as it is now', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const first = await ref.send('the question');
  const second = await bob.conversation('c1').send({ text: 'the answer', referencedMessage: first });
  const third = await ref.send({ text: 'thanks', referencedMessage: second.id });
  for (let i = 0; i < 4; ++i) {
    const filler = Array.from({ length: 10 }, () => ({ type: 'SystemMessage', text: 'tick' }));
    await rest(emulator, 'POST', 'conversations/c1/messages', filler);
  }
  await ref.send({ text: 'again', referencedMessage: first });
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const [far] = await seen.until((m) => m?.length === 30);
  assert.equal(far.plaintext, 'again');
  assert.equal(far.referencedMessage.plaintext, 'the question');
  assert.equal(far.referencedMessage.sender.name, 'Alice');
  assert.equal(far.referencedMessage.referencedMessageId, null);
  assert.equal((await bob.conversation('c1').message(third.id).get()).referencedMessage.referencedMessageId, first.id);
  await ref.message(first.id).edit('the better question');
  await seen.until((m) => m[0].referencedMessage?.plaintext === 'the better question');
  await ref.message(first.id).delete();
  await seen.until((m) => m[0].referencedMessage === null);
  assert.equal((await bob.conversation('c1').message(second.id).get()).referencedMessage, null);
  await assert.rejects(ref.send({ text: 'x', referencedMessage: first.id }), /404 MESSAGE_NOT_FOUND/);
  await conversation('c2', [alice]);
  await assert.rejects(alice.conversation('c2').send({ text: 'x', referencedMessage: second.id }), /404/);
  const [system] = await rest(emulator, 'POST', 'conversations/c1/messages', [{ type: 'SystemMessage', text: 'no' }]);
  await assert.rejects(ref.send({ text: 'x', referencedMessage: system.id }), /400/);
});

test('a system message has no sender, is unread for all, and comes with links', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const lists = [alice, bob].map((person) => watch((on) => person.subscribeConversations(on)));
  for (const list of lists) await list.until((l) => l.length === 1);
  await rest(emulator, 'POST', 'conversations/c1/messages', [
    { type: 'SystemMessage', text: 'See <https://example.com/x|the *manual*>', custom: { topic: 'help' } },
  ]);
  for (const list of lists) {
    const [side] = await list.until((l) => l[0].lastMessage !== null && l[0].unreadMessageCount === 1);
    assert.equal(side.lastMessage.type, 'SystemMessage');
    assert.equal(side.lastMessage.sender, null);
    assert.equal(side.lastMessage.plaintext, 'See the manual');
    assert.deepEqual(side.lastMessage.custom, { topic: 'help' });
    assert.equal(side.lastMessage.content[0].children[1].type, 'link');
    assert.equal(side.lastMessage.content[0].children[1].url, 'https://example.com/x');
  }
});

test('what may not be sent is refused with a reason, and nothing of it is stored', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const sent = await ref.send('ordinary');
  const auto = (url, text) => ({ content: [{ type: 'text', children: [{ type: 'autoLink', url, text }] }] });
  const refused = [
    ['', /400 BAD_REQUEST/],
    [{ content: [{ type: 'text', children: [] }] }, /400/],
    [{ content: [{ type: 'location', latitude: 90.5, longitude: 0 }] }, /400/],
    [{ content: [{ type: 'location', latitude: 0, longitude: -180.5 }] }, /400/],
    [{ content: [{ type: 'file', fileToken: 'made up' }] }, /400/],
    [{ content: [{ type: 'text', children: [{ type: 'link', url: 'https://x.com', children: ['y'] }] }] }, /403/],
    [{ content: [{ type: 'text', children: [{ type: 'actionLink', action: 'a', params: {}, children: ['y'] }] }] }, /403/],
    [{ content: [{ type: 'text', children: [{ type: 'bold', children: [{ type: 'actionButton', action: 'a', params: {}, children: ['y'] }] }] }] }, /403/],
    [auto('https://evil.com', 'talkjs.com'), /400/],
    [auto('https://talkjs.com.evil.com/talkjs.com', 'talkjs.com'), /400/],
    [auto('https://talkjs.com/a', 'talkjs.com/b'), /400/],
    [auto('https://talkjs.com/a', 'https://talkjs.com/a?b'), /400/],
    [auto('https://talkjs.com', 'http://talkjs.com'), /400/],
    [auto('ftp://talkjs.com', 'talkjs.com'), /400/],
    [auto('javascript:alert(1)', 'talkjs.com'), /400/],
    [auto('mailto:a@x.com', 'b@x.com'), /400/],
    [auto('tel:123', '124'), /400/],
  ];
  for (const [what, error] of refused) await assert.rejects(ref.send(what), error, JSON.stringify(what));
  for (const [what, error] of refused.slice(1)) {
    await assert.rejects(ref.message(sent.id).edit(what), error, JSON.stringify(what));
  }
  const accepted = [
    auto('https://talkjs.com/docs/x#y', 'talkjs.com'),
    auto('http://talkjs.com/docs', 'talkjs.com/docs'),
    auto('https://talkjs.com/a?b#c', 'https://talkjs.com/a?b#c'),
    auto('mailto:a@x.com', 'a@x.com'),
    auto('tel:+31612345678', '+31 6 1234-5678'),
    { content: [{ type: 'location', latitude: -90, longitude: 180 }] },
  ];
  for (const what of accepted) await ref.send(what);
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  await seen.until((m, all) => m !== null && all);
  assert.equal(seen.last.length, 1 + accepted.length);
  assert.equal(seen.last.at(-1).plaintext, 'ordinary');
  assert.equal(seen.last.at(-1).editedAt, null);
});

test('a burst from two sides comes in one order for both', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const seen = [alice, bob].map((person) => watch((on) => person.conversation('c1').subscribeMessages(on)));
  for (const one of seen) await one.until((m) => m?.length === 0);
  const send = (person, name) => Array.from({ length: 40 }, (_, i) => person.conversation('c1').send(`${name}${i}`));
  const sent = await Promise.all([...send(alice, 'a'), ...send(bob, 'b')]);
  for (const one of seen) await one.until((m) => m.length === 80, undefined, 20_000);
  assert.deepEqual(ids(seen[0].last), ids(seen[1].last));
  assert.deepEqual(ids(seen[0].last).sort(), ids(sent).sort());
  for (const name of ['a', 'b']) {
    const own = texts(seen[0].last).filter((text) => text.startsWith(name));
    assert.deepEqual(own, Array.from({ length: 40 }, (_, i) => `${name}${39 - i}`));
  }
});

test('what follows on something new shows as well', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  const ref = await conversation('c1', [alice, bob]);
  const seen = watch((on) => bob.conversation('c1').subscribeMessages(on));
  const list = watch((on) => bob.subscribeConversations(on));
  await seen.until((m) => m?.length === 0);
  await list.until((l) => l.length === 1);
  for (let i = 0; i < 10; ++i) {
    // The SDK loses what it reads together with the message that it is about.
    const say = async (words) => {
      const { id } = await ref.send(words);
      await seen.until((m) => m[0]?.id === id);
      return ref.message(id);
    };
    await (await say(`first ${i}`)).edit(`second ${i}`);
    await (await say(`liked ${i}`)).reaction('👍').add();
    await (await say('gone')).delete();
    await seen.until((m) => m.length === 2 * i + 2 && m[0].reactions.length === 1, `round ${i}`);
    assert.deepEqual(texts(seen.last.slice(0, 2)), [`liked ${i}`, `second ${i}`]);
  }
  await list.until((l) => l[0].unreadMessageCount === 20 && l[0].lastMessage?.plaintext === 'liked 9');
});

// --- reading ---

test('unread messages are counted, read, and marked by hand', async (t) => {
  const { alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const b = watch((on) => bob.conversation('c1').subscribe(on));
  const fresh = await b.until((c) => c !== null);
  assert.equal(fresh.unreadMessageCount, 0);
  assert.equal(fresh.isUnread, false);
  assert.equal(fresh.readUntil, fresh.joinedAt);
  for (const text of ['one', 'two']) await alice.conversation('c1').send(text);
  await b.until((c) => c.unreadMessageCount === 2 && c.isUnread);
  assert.equal((await alice.conversation('c1').get()).unreadMessageCount, 0, 'own messages are read');
  await bob.conversation('c1').markAsRead();
  const read = await b.until((c) => c.unreadMessageCount === 0 && !c.isUnread);
  assert.ok(read.readUntil >= read.lastMessage.createdAt);
  await bob.conversation('c1').markAsUnread();
  await b.until((c) => c.isUnread && c.unreadMessageCount === 0);
  await bob.conversation('c1').markAsRead();
  await b.until((c) => !c.isUnread);
  await bob.conversation('c1').markAsUnread();
  await b.until((c) => c.isUnread);
  await bob.conversation('c1').send('an answer');
  await b.until((c) => !c.isUnread && c.lastMessage?.plaintext === 'an answer');
  await assert.rejects(alice.conversation('nowhere').markAsRead(), /404 CONVERSATION_NOT_FOUND/);
  await assert.rejects(alice.conversation('nowhere').markAsUnread(), /404 CONVERSATION_NOT_FOUND/);
});

test('a message is read by everyone when the last one has read it', async (t) => {
  const { alice, bob, carol } = await start(t, 'alice', 'bob', 'carol');
  await conversation('c1', [alice, bob, carol]);
  const a = watch((on) => alice.conversation('c1').subscribe(on));
  await a.until((c) => c !== null);
  await alice.conversation('c1').send('seen?');
  const sent = await a.until((c) => c.lastMessage !== null && c.readUntil >= c.lastMessage.createdAt);
  const read = (side) => side.everyoneReadUntil >= sent.lastMessage.createdAt;
  assert.equal(read(sent), false);
  await bob.conversation('c1').markAsRead();
  await settle();
  assert.equal(read(a.last), false);
  await carol.conversation('c1').markAsRead();
  await a.until(read);
  await bob.conversation('c1').send('next');
  await a.until((c) => c.lastMessage.plaintext === 'next' && c.everyoneReadUntil < c.lastMessage.createdAt);
  // Who has not read it does not hold it up once he has left.
  await carol.conversation('c1').markAsRead();
  await alice.conversation('c1').participant('bob').delete();
  await alice.conversation('c1').markAsRead();
  await a.until((c) => c.everyoneReadUntil >= c.lastMessage.createdAt);
});

test('two devices of one person show the same', async (t) => {
  const { emulator, alice, bob } = await start(t, 'alice', 'bob');
  await conversation('c1', [alice, bob]);
  const phone = session(emulator, 'alice');
  const seen = watch((on) => phone.conversation('c1').subscribeMessages(on));
  const side = watch((on) => phone.conversation('c1').subscribe(on));
  await seen.until((m) => m?.length === 0);
  await side.until((c) => c !== null);
  await alice.conversation('c1').send('from the desk');
  await seen.until((m) => texts(m).join() === 'from the desk');
  await bob.conversation('c1').send('hello');
  await side.until((c) => c.unreadMessageCount === 1);
  await alice.conversation('c1').markAsRead();
  await side.until((c) => c.unreadMessageCount === 0);
  await alice.conversation('c1').set({ notify: 'MentionsOnly' });
  await side.until((c) => c.notify === 'MentionsOnly');
  await phone.conversation('c1').message(seen.last[0].id).reaction('👍').add();
  const desk = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await desk.until((m) => m?.[0]?.reactions[0]?.currentUserReacted === true);
});
