// TalkJS's REST API for servers: what a backend writes is what the unmodified SDK sees, and the other way round.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { APP, KEY, rawSocket, session, startEmulator, token, watch } from './harness.mjs';

const encode = (...segments) => segments.map(encodeURIComponent).join('/');

// An emulator of one's own, and calls of its REST API with the secret key.
async function start(t) {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const base = `http://${emulator.host}/public_api/v1/${APP}/`;
  // [status, answer]
  const call = async (method, path, body, headers = {}) => {
    const answer = await fetch(base + path, {
      method,
      headers: {
        Authorization: `Bearer ${KEY}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    return [answer.status, await answer.json()];
  };
  // The answer of a call that must succeed.
  const ok = async (...args) => {
    const [status, answer] = await call(...args);
    assert.equal(status, 200, JSON.stringify(answer));
    return answer;
  };
  // The answer of a call that must fail so.
  const fails = async (expected, ...args) => {
    const [status, answer] = await call(...args);
    assert.equal(status, expected, JSON.stringify(answer));
    assert.equal(typeof answer.errorCode, 'string');
    return answer.reasons;
  };
  return { emulator, base, call, ok, fails };
}

const user = (sender, text, more = {}) => ({ type: 'UserMessage', sender, text, ...more });
const system = (text, more = {}) => ({ type: 'SystemMessage', text, ...more });

// Alice and bob in conversation "c", made by the server; alice as a session of the SDK.
async function startChat(t) {
  const rest = await start(t);
  await rest.ok('PUT', 'users', { alice: { name: 'Alice' }, bob: { name: 'Bob' } });
  await rest.ok('PUT', 'conversations/c', { participants: ['alice', 'bob'] });
  const alice = session(rest.emulator, 'alice');
  return { ...rest, alice, ref: alice.conversation('c') };
}

test('who may call', async (t) => {
  const { base, ok, fails } = await start(t);
  const bearer = (value) => ({ Authorization: `Bearer ${value}` });
  const app = (claims, key) => token(undefined, { tokenType: 'app', sub: undefined, ...claims }, key);
  await ok('GET', 'users');
  await ok('GET', 'users', undefined, bearer(app()));
  await ok('GET', 'users', undefined, bearer(app({ exp: undefined })));
  // The documented vector; it ends in November 2026.
  const vector =
    'eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlblR5cGUiOiJhcHAiLCJpc3MiOiJkZW1vIiwiZXhwIjoxNzk1NDM5NjYxfQ.heVQP-Yi6wa83ODlem_RJ9HolfOjhPMD3Q_yqx_xfIg';
  const [header, payload, signature] = vector.split('.');
  assert.equal(
    createHmac('sha256', KEY).update(`${header}.${payload}`).digest('base64url'),
    signature,
  );
  if (Date.now() / 1000 < 1795439661) {
    await ok('GET', 'users', undefined, bearer(vector));
  } else {
    await fails(401, 'GET', 'users', undefined, bearer(vector));
  }
  for (const wrong of [
    'sk_test_other',
    `${KEY}x`,
    '',
    'a.b.c',
    token('alice'),
    app({ iss: 'other' }),
    app({ exp: 1000000000 }),
    app({ nbf: 90000000000 }),
    app({}, 'sk_test_other'),
  ]) {
    const reasons = await fails(401, 'GET', 'users', undefined, bearer(wrong));
    assert.ok(!JSON.stringify(reasons).includes(KEY), 'an error shows the key');
  }
  assert.equal((await fetch(`${base}users`)).status, 401);
  assert.equal((await fetch(base.replace(APP, 'other') + 'users')).status, 404);
});

test('what is not understood is refused and says why', async (t) => {
  const { ok, call, fails } = await start(t);
  await fails(404, 'GET', 'nothing');
  await fails(404, 'POST', 'users/a/b/c');
  await fails(405, 'DELETE', 'users/alice');
  await fails(405, 'GET', 'conversations/c/participants');
  await fails(405, 'PATCH', 'conversations/c');
  assert.deepEqual(await fails(400, 'PUT', 'users/alice', {}), { name: ['is required'] });
  assert.deepEqual(await fails(400, 'PUT', 'users/alice', { name: 1 }), { name: ['expected text'] });
  await fails(404, 'GET', 'users/alice');
  await fails(400, 'PUT', 'users/alice', 'no json');
  await fails(400, 'PUT', 'users/alice', '[]');
  await fails(400, 'PUT', 'users/alice', '{"name":"A"}', { 'Content-Type': 'text/plain' });
  await fails(400, 'PUT', 'users/%zz', { name: 'A' });
  await ok('PUT', 'users/alice/', { name: 'A', id: 'ignored', unknown: 1 });
  await ok('PUT', 'users/alice', '', { 'Content-Type': 'application/json' });
  await ok('GET', 'users', undefined, { 'TalkJS-REST-Version': '2021-02-09' });
  await fails(400, 'GET', 'users', undefined, { 'TalkJS-REST-Version': '2020-01-01' });
  for (const limit of ['0', '101', 'x', '']) {
    assert.deepEqual(Object.keys(await fails(400, 'GET', `users?limit=${limit}`)), ['limit']);
  }
  assert.deepEqual(Object.keys(await fails(400, 'GET', 'users?startingAfter=nobody')), [
    'startingAfter',
  ]);
  const [status, answer] = await call('GET', 'users?limit=1');
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(answer), ['data']);
});

test('users: private fields are for servers, the rest reaches the SDK', async (t) => {
  const { emulator, ok, fails } = await start(t);
  await ok('PUT', 'users/alice', {
    name: 'Alice',
    email: 'a@example.com',
    phone: ['+31612345678'],
    pushTokens: { 'fcm:one': true, 'apns:two': true },
    custom: { a: '1', b: '2' },
    availabilityText: 'away',
    role: 'admin',
  });
  const { createdAt, ...alice } = await ok('GET', 'users/alice');
  assert.ok(Math.abs(createdAt - Date.now()) < 60_000);
  assert.deepEqual(alice, {
    id: 'alice',
    name: 'Alice',
    email: ['a@example.com'],
    phone: ['+31612345678'],
    photoUrl: null,
    welcomeMessage: null,
    role: 'admin',
    locale: null,
    custom: { a: '1', b: '2' },
    availabilityText: 'away',
    pushTokens: { 'fcm:one': true, 'apns:two': true },
  });
  const bob = session(emulator, 'bob');
  const seen = watch((on) => bob.user('alice').subscribe(on));
  assert.equal((await seen.until((u) => u !== null)).email, undefined);
  await ok('PUT', 'users/alice', {
    email: null,
    role: null,
    custom: { a: null, c: '3' },
    pushTokens: { 'fcm:one': null },
  });
  assert.deepEqual((await seen.until((u) => u.role === 'default')).custom, { b: '2', c: '3' });
  const changed = await ok('GET', 'users/alice');
  assert.equal(changed.email, null);
  assert.deepEqual(changed.pushTokens, { 'apns:two': true });
  await ok('PUT', 'users/alice', { pushTokens: null });
  assert.equal((await ok('GET', 'users/alice')).pushTokens, null);

  // Several at once: all or nothing.
  assert.deepEqual(await fails(400, 'PUT', 'users', { carol: { name: 'C' }, dave: {} }), {
    dave: { name: ['is required'] },
  });
  await fails(404, 'GET', 'users/carol');
  const many = Object.fromEntries([...Array(101).keys()].map((i) => [`u${i}`, { name: 'U' }]));
  await fails(400, 'PUT', 'users', many);
  delete many.u100;
  await ok('PUT', 'users', many);

  // Pages: no user twice, none left out.
  const ids = [];
  for (let after = ''; ; after = `&startingAfter=${ids.at(-1)}`) {
    const { data } = await ok('GET', `users?limit=40${after}`);
    ids.push(...data.map((u) => u.id));
    if (data.length < 40) break;
  }
  assert.equal(ids.length, 101);
  assert.equal(new Set(ids).size, 101);
  await bob.currentUser.createIfNotExists({ name: 'Bob' });
  const online = async (value) => (await ok('GET', `users?limit=100&isOnline=${value}`)).data;
  assert.deepEqual((await online(true)).map((u) => u.id), ['bob']);
  assert.ok(!(await online(false)).some((u) => u.id === 'bob'));
});

test('conversations: made, changed, listed and deleted by a server', async (t) => {
  const { alice, ok, fails } = await startChat(t);
  const list = watch((on) => alice.subscribeConversations(on));
  await list.until((all) => all?.length === 1);
  await ok('PUT', 'conversations/d', {
    participants: ['alice'],
    subject: 'two',
    welcomeMessages: ['hello'],
    custom: { kind: 'x' },
  });
  const [d] = await list.until((all) => all.length === 2 && all.some((c) => c.subject === 'two'));
  assert.equal(d.id, 'd');
  assert.deepEqual(d.custom, { kind: 'x' });
  await ok('PUT', 'conversations/d', { subject: 'new', custom: { kind: 'y' } });
  await list.until((all) => all.some((c) => c.subject === 'new' && c.custom.kind === 'y'));

  const { createdAt, participants, everyoneReadUntil, ...rest } = await ok('GET', 'conversations/d');
  assert.deepEqual(rest, {
    id: 'd',
    subject: 'new',
    photoUrl: null,
    welcomeMessages: ['hello'],
    custom: { kind: 'y' },
    topicId: null,
    lastMessage: null,
  });
  const { joinedAt, readUntil, ...member } = participants.alice;
  assert.deepEqual(member, { access: 'ReadWrite', notify: true, isUnread: false });
  assert.ok(joinedAt >= createdAt && readUntil === joinedAt && everyoneReadUntil === joinedAt);

  assert.deepEqual(
    Object.keys(await fails(400, 'PUT', 'conversations/e', { participants: ['alice', 'nobody'] })),
    ['participants'],
  );
  await fails(404, 'GET', 'conversations/e');
  await ok('PUT', 'conversations/empty', {});
  assert.deepEqual((await ok('GET', 'conversations/empty')).participants, {});

  const ids = async (path) => (await ok('GET', path)).data.map((c) => c.id);
  const filter = (value) => encodeURIComponent(JSON.stringify(value));
  assert.deepEqual(await ids(`conversations?filter=${filter({ custom: { kind: 'y' } })}`), ['d']);
  const twice = encodeURIComponent(filter({ custom: { kind: ['!=', 'y'] } }));
  assert.deepEqual((await ids(`conversations?filter=${twice}`)).sort(), ['c', 'empty']);
  await fails(400, 'GET', 'conversations?filter=nojson');
  await fails(400, 'GET', `conversations?filter=${filter({ access: ['==', 'Read'] })}`);
  assert.deepEqual(await ids(`users/alice/conversations?filter=${filter({ subject: ['==', 'new'] })}`), [
    'd',
  ]);
  await ok('POST', 'conversations/c/messages', [user('bob', 'hi')]);
  assert.deepEqual(await ids('users/alice/conversations?unreadsOnly=true'), ['c']);
  assert.deepEqual(await ids('users/bob/conversations?unreadsOnly=true'), []);
  assert.equal((await ids('conversations'))[0], 'c');
  const byCreation = await ids('conversations?orderBy=createdAt&orderDirection=ASC');
  assert.deepEqual(byCreation, ['c', 'd', 'empty']);
  assert.deepEqual(
    await ids('conversations?orderBy=createdAt&orderDirection=ASC&limit=1&startingAfter=c'),
    ['d'],
  );
  assert.deepEqual(await ids('conversations?lastMessageAfter=0'), ['c']);
  assert.deepEqual(await ids('conversations?lastMessageBefore=1'), []);
  assert.deepEqual(await ids('conversations?offsetTs=1'), []);
  await fails(404, 'GET', 'users/nobody/conversations');
  const [side] = (await ok('GET', 'users/alice/conversations?limit=1')).data;
  assert.equal(side.unreadMessageCount, 1);
  assert.equal(side.isUnread, true);
  assert.equal(side.lastMessage.text, 'hi');

  await ok('DELETE', 'conversations/d');
  await list.until((all) => !all.some((c) => c.id === 'd'));
  await fails(404, 'GET', 'conversations/d');
  await fails(404, 'DELETE', 'conversations/d');
  assert.equal(await alice.conversation('d').get(), null);
  await ok('PUT', 'conversations/d', { participants: ['alice'] });
  assert.equal((await list.until((all) => all.some((c) => c.id === 'd')))[0].lastMessage, null);
});

test('participants: a PUT overwrites, a PATCH does not', async (t) => {
  const { alice, ref, ok, fails } = await startChat(t);
  await ok('PUT', 'users/carol', { name: 'Carol' });
  const people = watch((on) => ref.subscribeParticipants(on));
  await people.until((all) => all?.length === 2);
  const mine = watch((on) => ref.subscribe(on));
  await mine.until((c) => c !== null);
  const path = `conversations/c/participants/`;
  await ok('PUT', `${path}carol`, { access: 'Read', notify: 'MentionsOnly' });
  const carol = (all) => all.find((p) => p.user.id === 'carol');
  await people.until((all) => carol(all)?.access === 'Read' && carol(all).notify === 'MentionsOnly');
  await ok('PATCH', `${path}carol`, { notify: false });
  await people.until((all) => carol(all).access === 'Read' && carol(all).notify === false);
  await ok('PUT', `${path}carol`, { notify: false });
  await people.until((all) => carol(all).access === 'ReadWrite' && carol(all).notify === false);
  await ok('PUT', `${path}carol`);
  await people.until((all) => carol(all).notify === true);
  await ok('PUT', `${path}alice`, { access: 'Read' });
  await mine.until((c) => c.access === 'Read');
  await ok('DELETE', `${path}carol`);
  await people.until((all) => all.length === 2);
  await ok('DELETE', `${path}carol`);
  await fails(404, 'PATCH', `${path}carol`, { notify: true });
  await fails(404, 'PUT', `${path}nobody`);
  await fails(404, 'PUT', 'conversations/none/participants/alice');
  assert.deepEqual(Object.keys(await fails(400, 'PUT', `${path}alice`, { access: 'None' })), [
    'access',
  ]);
  assert.match((await ok('GET', `${path}alice/email`)).emailAddress, /^[0-9a-f]+@inbound\.invalid$/);

  // No access: gone for the user, and back with what was missed.
  const list = watch((on) => alice.subscribeConversations(on));
  await list.until((all) => all?.length === 1);
  await ok('PATCH', `${path}alice`, { access: 'None' });
  await list.until((all) => all.length === 0);
  await mine.until((c) => c === null);
  assert.deepEqual(Object.keys((await ok('GET', 'conversations/c')).participants), ['bob']);
  await ok('POST', 'conversations/c/messages', [user('bob', 'missed')]);
  await ok('PATCH', `${path}alice`, { access: 'ReadWrite' });
  const [back] = await list.until((all) => all.length === 1 && all[0].lastMessage !== null);
  assert.equal(back.unreadMessageCount, 1);
  assert.equal(back.lastMessage.plaintext, 'missed');
});

test('messages: posted, edited, deleted and listed by a server', async (t) => {
  const { alice, ref, ok, fails } = await startChat(t);
  const messages = watch((on) => ref.subscribeMessages(on));
  await messages.until((all) => all?.length === 0);
  const path = 'conversations/c/messages';
  const posted = await ok('POST', path, [
    user('bob', 'one *bold* talkjs.com', { custom: { k: 'v' }, idempotencyKey: 'k1' }),
    system('two <https://talkjs.com|link>'),
    user('bob', undefined, { location: [52.5, 4.5] }),
  ]);
  assert.equal(posted.length, 3);
  for (const { id } of posted) assert.match(id, /^msg_[0-9A-Za-z]{22}$/);
  const [one, two, three] = posted.map((m) => m.id);
  const seen = (await messages.until((all) => all.length === 3)).slice().reverse();
  assert.deepEqual(
    seen.map((m) => [m.id, m.type, m.sender?.id ?? null, m.origin]),
    [
      [one, 'UserMessage', 'bob', 'rest'],
      [two, 'SystemMessage', null, 'rest'],
      [three, 'UserMessage', 'bob', 'rest'],
    ],
  );
  assert.deepEqual(seen[0].content[0].children, [
    'one ',
    { type: 'bold', children: ['bold'] },
    ' ',
    { type: 'autoLink', url: 'http://talkjs.com', text: 'talkjs.com' },
  ]);
  assert.deepEqual(seen[1].content[0].children, [
    'two ',
    { type: 'link', url: 'https://talkjs.com', children: ['link'] },
  ]);
  assert.deepEqual(seen[2].content[0], { type: 'location', latitude: 52.5, longitude: 4.5 });
  assert.equal((await ref.get()).unreadMessageCount, 3);

  // The same key again is the same message.
  assert.deepEqual(await ok('POST', path, [user('bob', 'again', { idempotencyKey: 'k1' })]), [
    { id: one },
  ]);
  const { createdAt, ...first } = await ok('GET', `${path}/${one}`);
  assert.equal(createdAt, seen[0].createdAt);
  assert.deepEqual(first, {
    id: one,
    conversationId: 'c',
    type: 'UserMessage',
    senderId: 'bob',
    text: 'one *bold* talkjs.com',
    attachment: null,
    location: null,
    origin: 'rest',
    readBy: [],
    custom: { k: 'v' },
    referencedMessageId: null,
    editedAt: null,
    reactions: {},
  });
  const listed = (await ok('GET', `${path}?limit=2`)).data;
  assert.deepEqual(listed.map((m) => m.id), [three, two]);
  assert.deepEqual(listed.map((m) => [m.text, m.location]), [
    [null, [52.5, 4.5]],
    ['two <https://talkjs.com|link>', null],
  ]);
  assert.deepEqual(
    (await ok('GET', `${path}?limit=2&startingAfter=${two}`)).data.map((m) => m.id),
    [one],
  );
  assert.deepEqual(
    (await ok('GET', `${path}?orderDirection=ASC&startingAfter=${one}`)).data.map((m) => m.id),
    [two, three],
  );
  await ref.markAsRead();
  assert.deepEqual((await ok('GET', `${path}/${one}`)).readBy, ['alice']);

  // What the SDK wrote has its markup restored.
  await ref.send('*b* _i_ ~s~ ```c``` 0612345678');
  assert.equal((await ok('GET', `${path}?limit=1`)).data[0].text, '*b* _i_ ~s~ ```c``` 0612345678');

  await ok('PUT', `${path}/${one}`, { text: 'new _text_', custom: { k: null, l: 'w' } });
  const edited = (await messages.until((all) => all.at(-1).plaintext === 'new text')).at(-1);
  assert.ok(edited.editedAt >= edited.createdAt);
  assert.deepEqual(edited.custom, { l: 'w' });
  assert.equal((await ok('GET', `${path}/${one}`)).text, 'new _text_');
  await ok('PATCH', `${path}/${one}`, { content: [{ type: 'text', children: ['raw *x*'] }] });
  await messages.until((all) => all.at(-1).plaintext === 'raw *x*');
  await ok('DELETE', `${path}/${one}`);
  await messages.until((all) => !all.some((m) => m.id === one));
  await fails(404, 'GET', `${path}/${one}`);
  await fails(404, 'DELETE', `${path}/${one}`);
  await fails(404, 'PUT', `${path}/${one}`, { text: 'x' });

  await fails(400, 'POST', path, [user('bob', 're', { referencedMessageId: two })]);
  await fails(400, 'POST', path, [system('re', { referencedMessageId: three })]);
  const [{ id: reply }] = await ok('POST', path, [user('bob', 're', { referencedMessageId: three })]);
  const shown = await messages.until((all) => all[0].id === reply && all[0].referencedMessage);
  assert.equal(shown[0].referencedMessage.id, three);
  await ok('DELETE', `${path}/${three}`);
  await messages.until((all) => all[0].referencedMessage === null);
  assert.equal((await ok('GET', `${path}/${reply}`)).referencedMessageId, null);
  assert.equal((await ok('GET', 'conversations/c')).lastMessage.id, reply);
  assert.equal(alice.currentUser.id, 'alice');
});

test('files: a server uploads one and sends it, more than once', async (t) => {
  const { base, ref, ok, fails } = await startChat(t);
  const upload = async (bearer) => {
    const form = new FormData();
    form.append('file', new Blob(['hello']), 'note.txt');
    const answer = await fetch(`${base}files`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${bearer}` },
      body: form,
    });
    return [answer.status, await answer.json()];
  };
  assert.equal((await upload('wrong'))[0], 401);
  const [status, { attachmentToken, fileToken }] = await upload(KEY);
  assert.equal(status, 200);
  assert.equal(attachmentToken, fileToken);
  const messages = watch((on) => ref.subscribeMessages(on));
  await messages.until((all) => all?.length === 0);
  const [{ id }] = await ok('POST', 'conversations/c/messages', [
    user('bob', undefined, { attachmentToken }),
    system(undefined, { content: [{ type: 'file', fileToken }] }),
  ]);
  const [, shown] = await messages.until((all) => all.length === 2);
  assert.equal(shown.content[0].filename, 'note.txt');
  assert.equal(await (await fetch(shown.content[0].url)).text(), 'hello');
  const { attachment, text } = await ok('GET', `conversations/c/messages/${id}`);
  assert.deepEqual(attachment, { url: shown.content[0].url, size: 5, filename: 'note.txt' });
  assert.equal(text, null);
  // What belongs to users only.
  await fails(401, 'GET', 'me/messages/search?searchString=x');
});

test('a bad message is refused with its place, and nothing of the call is stored', async (t) => {
  const { ok, fails } = await startChat(t);
  await ok('PUT', 'users/carol', { name: 'Carol' });
  const path = 'conversations/c/messages';
  const good = user('bob', 'good');
  for (const [bad, field] of [
    [{ ...good, type: undefined }, 'type'],
    [{ ...good, type: 'Other' }, 'type'],
    [{ ...good, type: 'SystemMessage' }, 'type'],
    [{ ...good, sender: undefined }, 'sender'],
    [{ ...good, sender: 'carol' }, 'sender'],
    [{ ...good, text: '' }, 'text'],
    [{ ...good, text: 1 }, 'text'],
    [{ ...good, location: [1, 2] }, 'location'],
    [{ ...good, text: undefined, location: [91, 0] }, 'location'],
    [{ ...good, text: undefined, location: ['a', 0] }, 'location'],
    [{ ...good, text: undefined, content: [] }, 'text'],
    [{ ...good, text: undefined, content: [{ type: 'text', children: [] }] }, 'content'],
    [{ ...good, text: undefined, attachmentToken: 'unknown' }, 'attachmentToken'],
    [{ ...good, custom: { a: 1 } }, 'custom'],
    [{ ...good, referencedMessageId: 'msg_0' }, 'referencedMessageId'],
    [{ ...good, idempotencyKey: 'x'.repeat(256) }, 'idempotencyKey'],
    [system(undefined, { location: [1, 2] }), 'location'],
  ]) {
    const reasons = await fails(400, 'POST', path, [good, bad]);
    assert.deepEqual(Object.keys(reasons), [`1.${field}`], JSON.stringify(bad));
  }
  await fails(400, 'POST', path, []);
  await fails(400, 'POST', path, good);
  await fails(400, 'POST', path, Array(11).fill(good));
  await fails(404, 'POST', 'conversations/none/messages', [good]);
  assert.deepEqual((await ok('GET', path)).data, []);
  await ok('POST', path, Array(10).fill(good));
});

test('reactions and read marks', async (t) => {
  const { ref, ok, fails } = await startChat(t);
  const mine = watch((on) => ref.subscribe(on));
  const messages = watch((on) => ref.subscribeMessages(on));
  await messages.until((all) => all?.length === 0);
  const [{ id }] = await ok('POST', 'conversations/c/messages', [user('bob', 'hi')]);
  // The SDK shows a message when it knows the sender, and takes no reactions before.
  await messages.until((all) => all.length === 1);
  const thumb = encode('conversations', 'c', 'messages', id, 'reactions', '👍', 'bob');
  await ok('PUT', thumb);
  await ok('PUT', thumb);
  const [shown] = await messages.until((all) => all[0]?.reactions.length === 1);
  assert.deepEqual(
    [shown.reactions[0].emoji, shown.reactions[0].count, shown.reactions[0].currentUserReacted],
    ['👍', 1, false],
  );
  assert.equal((await ok('GET', `conversations/c/messages/${id}`)).reactions['👍'].count, 1);
  await ok('DELETE', thumb);
  await ok('DELETE', thumb);
  await messages.until((all) => all[0].reactions.length === 0);
  await fails(400, 'PUT', encode('conversations', 'c', 'messages', id, 'reactions', 'x', 'bob'));
  await fails(404, 'PUT', encode('conversations', 'c', 'messages', id, 'reactions', '👍', 'nobody'));

  await mine.until((c) => c?.unreadMessageCount === 1);
  await ok('POST', 'conversations/c/readBy/alice');
  await mine.until((c) => c.unreadMessageCount === 0 && !c.isUnread);
  await ok('PATCH', 'users/alice/conversations/c', { readUntil: 1000 });
  await mine.until((c) => c.unreadMessageCount === 1 && c.readUntil === 1000);
  await ok('PATCH', 'users/alice/conversations/c', { readUntil: 'sent' });
  const { createdAt } = await ok('GET', `conversations/c/messages/${id}`);
  await mine.until((c) => c.unreadMessageCount === 0 && c.readUntil === createdAt);
  await ok('PATCH', 'users/alice/conversations/c', { isUnread: true });
  await mine.until((c) => c.isUnread && c.unreadMessageCount === 0);
  assert.equal((await ok('GET', 'conversations/c')).participants.alice.isUnread, true);
  await fails(404, 'POST', 'conversations/c/readBy/carol');
  await fails(404, 'POST', 'conversations/none/readBy/alice');
  await fails(400, 'PATCH', 'users/alice/conversations/c', {});
  await fails(400, 'PATCH', 'users/alice/conversations/c', { readUntil: 'never' });
  await ok('POST', 'conversations/c/notifications', { channels: ['email'] });
  await fails(404, 'POST', 'conversations/none/notifications', { channels: ['email'] });
});

test('an import is silent until one looks', async (t) => {
  const { emulator, ref, ok, fails } = await startChat(t);
  const socket = await rawSocket(emulator, 'alice');
  await socket.call('POST', '/session/renew', { token: token('alice') });
  await socket.call('SUBSCRIBE', '/me/conversations');
  await socket.call('SUBSCRIBE', '/me/conversations/c/messages');
  const old = user('bob', 'long ago', { timestamp: 1000, readBy: ['alice'], custom: { a: 'b' } });
  const [{ id }] = await ok('POST', 'import/conversations/c/messages', [old]);
  await ok('POST', 'import/conversation/c/messages', [{ ...old, type: undefined, createdAt: 2000 }]);
  // Whatever an import had published would have come before this.
  await ok('PUT', 'conversations/c', { subject: 'fence' });
  await socket.until((f) => f[1] === 'PUBLISH');
  assert.deepEqual(socket.events.map((e) => e.type), ['conversation.edited']);
  socket.close();
  const { data } = await ok('GET', 'conversations/c/messages');
  assert.deepEqual(data.map((m) => [m.createdAt, m.origin, m.readBy, m.text]), [
    [1000, 'import', ['alice'], 'long ago'],
    [1000, 'import', ['alice'], 'long ago'],
  ]);
  const seen = watch((on) => ref.subscribeMessages(on));
  assert.equal((await seen.until((all) => all?.length === 2))[1].id, id);
  const path = 'import/conversations/c/messages';
  assert.deepEqual(Object.keys(await fails(400, 'POST', path, [user('bob', 'x')])), ['0.timestamp']);
  await fails(400, 'POST', path, [system('x', { timestamp: 1 })]);
  await fails(400, 'POST', path, [user('carol', 'x', { timestamp: 1 })]);
  await fails(400, 'POST', path, Array(11).fill(old));
});

test('a batch answers each operation by its number', async (t) => {
  const { ok, fails } = await start(t);
  const answers = await ok('POST', 'batch', [
    [7, 'PUT', '/users/alice', { name: 'Alice' }],
    [7, 'GET', '/users/nobody'],
    [-1, 'GET', '/users', { limit: '1' }, { api_version: '2021-01-01' }],
    [2, 'POST', '/batch', []],
    [3, 'POST', '/files'],
    [4, 'GET', '/users?limit=x'],
    [5, 'GET', '/users', { limit: 1 }],
    [6, 'GET', '/users', {}, { api_version: 'x' }],
    [0.5, 'GET', '/users/alice'],
  ]);
  assert.deepEqual(
    answers.map(([number, status]) => [number, status]),
    [[7, 200], [7, 404], [-1, 200], [2, 404], [3, 404], [4, 400], [5, 400], [6, 400], [0.5, 200]],
  );
  assert.deepEqual(answers[0][2], {});
  assert.equal(answers[1][2].errorCode, 'USER_NOT_FOUND');
  assert.equal(answers[2][2].data[0].id, 'alice');
  await fails(400, 'POST', 'batch', {});
  await fails(400, 'POST', 'batch', [['GET', '/users']]);
  await fails(400, 'POST', 'batch', [[1, 'GET', 'users']]);
  await fails(400, 'POST', 'batch', Array(11).fill([1, 'GET', '/users']));
});

test('presences: who is there, and looks at what', async (t) => {
  const { alice, ref, ok, fails } = await startChat(t);
  assert.deepEqual(await ok('GET', 'users/alice/sessions'), []);
  assert.deepEqual((await ok('POST', 'presences', {})).data, {});
  await alice.currentUser.get();
  const background = { includeBackgroundSessions: true };
  const { data } = await ok('POST', 'presences', background);
  assert.deepEqual(Object.keys(data), ['alice']);
  const [{ sessionId, ...hidden }] = data.alice.backgroundSessions;
  assert.match(sessionId, /^\d+$/);
  assert.deepEqual(hidden, {
    selectedConversationId: null,
    custom: {},
    hasFocus: false,
    isTyping: false,
  });
  assert.deepEqual((await ok('POST', 'presences', {})).data, {});
  const messages = watch((on) => ref.subscribeMessages(on));
  await messages.until((all) => all !== null);
  await ref.markAsTyping();
  const visible = (await ok('POST', 'presences', { userIds: ['alice', 'bob'] })).data;
  assert.deepEqual(visible.alice.widgets, [
    { selectedConversationId: 'c', custom: {}, hasFocus: true, isTyping: true, sessionId },
  ]);
  assert.deepEqual(await ok('GET', 'users/alice/sessions'), [
    { isTyping: true, currentConversationId: null },
  ]);
  for (const nobody of [{ userIds: ['bob'] }, { selectedConversationId: 'd' }, { isTyping: false }]) {
    assert.deepEqual((await ok('POST', 'presences', nobody)).data, {}, JSON.stringify(nobody));
  }
  await fails(400, 'POST', 'presences', { userIds: 'alice' });
  await fails(404, 'GET', 'users/nobody/sessions');
});

test('with --rest-rate-limits whoever asks too often is told to wait', async (t) => {
  const emulator = await startEmulator('--rest-rate-limits');
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const ask = (token = KEY) =>
    fetch(`http://${emulator.host}/public_api/v1/${APP}/users`, { headers: { Authorization: `Bearer ${token}` } });
  await fetch(`http://${emulator.host}/_emulator/v1/clock`, { method: 'POST', body: '{"freeze":true}' });
  const statuses = [];
  for (let i = 0; i < 30; ++i) {
    statuses.push(...(await Promise.all(Array.from({ length: 20 }, () => ask()))).map((response) => response.status));
  }
  assert.deepEqual(new Set(statuses), new Set([200]));
  const refused = await ask();
  assert.equal(refused.status, 429);
  assert.equal((await refused.json()).errorCode, 'TOO_MANY_REQUESTS');
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal(refused.headers.get('access-control-allow-origin'), '*');
  assert.equal((await ask('wrong')).status, 401);
  await fetch(`http://${emulator.host}/_emulator/v1/clock`, { method: 'POST', body: '{"advance_ms":1000}' });
  for (let i = 0; i < 9; ++i) assert.equal((await ask()).status, 200);
  assert.equal((await ask()).status, 429);
});
