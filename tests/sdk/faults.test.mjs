// The unmodified SDK against an emulator that does what it should not: it recovers, and its snapshots are right.
// Side by side, because the SDK waits 5 to 15 s before it connects again.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { session, signature, startEmulator, token, watch } from './harness.mjs';

// The longest way back: 15 s until a silent connection is given up, 15 s of pause, and a slow machine.
const BACK = 50_000;

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const texts = (messages) => messages.map((m) => m.plaintext);

// Alice watches the messages of a conversation that bob writes to.
async function start(t, aliceOptions) {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const control = async (method, path, body) => {
    const response = await fetch(`http://${emulator.host}/_emulator/v1/${path}`, {
      method,
      body: body && JSON.stringify(body),
    });
    const answer = await response.json();
    assert.equal(response.status, 200, JSON.stringify(answer));
    return answer;
  };
  const alice = session(emulator, 'alice', aliceOptions?.(control));
  const bob = session(emulator, 'bob');
  await alice.currentUser.createIfNotExists({ name: 'Alice' });
  await bob.currentUser.createIfNotExists({ name: 'Bob' });
  const ref = bob.conversation('c1');
  await ref.createIfNotExists({ subject: 'one' });
  await ref.participant('alice').createIfNotExists();
  const seen = watch((on) => alice.conversation('c1').subscribeMessages(on));
  await seen.until((m) => m?.length === 0);
  return {
    emulator,
    control,
    alice,
    bob,
    seen,
    say: (text) => ref.send(text),
    // The newest messages first, as soon as alice sees exactly these.
    sees: (...wanted) =>
      seen.until((m) => JSON.stringify(texts(m)) === JSON.stringify(wanted), `${wanted}`, BACK),
    fault: (rule) => control('POST', 'faults', rule),
    counts: async (rule) => {
      const { matched, fired } = await control('GET', `faults/${rule.id}`);
      return { matched, fired };
    },
    // Counts the requests that match, and changes nothing.
    counter: (rule) =>
      control('POST', 'faults', { on: 'request', action: 'lose', probability: 0, ...rule }),
    ids: async (user) => {
      const { connections } = await control('GET', 'connections');
      return connections.filter((c) => c.user === user).map((c) => c.id);
    },
  };
}

describe('faults', { concurrency: true }, () => {
  it('a connection that is cut comes back, and what was missed is there', async (t) => {
    const { control, say, sees, ids } = await start(t);
    await say('one');
    await sees('one');
    const [before] = await ids('alice');
    assert.equal((await control('POST', 'connections/drop', { user: 'alice' })).connections, 1);
    await say('two');
    await sees('two', 'one');
    const after = await ids('alice');
    assert.equal(after.length, 1);
    assert.ok(after[0] > before);
  });

  it('a reset in the middle of an event', async (t) => {
    const { say, sees, fault, counts } = await start(t);
    const rule = await fault({ on: 'publish', user: 'alice', event: 'message.created', nth: 2, action: 'reset' });
    await say('one');
    await sees('one');
    await say('two');
    await sees('two', 'one');
    assert.deepEqual(await counts(rule), { matched: 2, fired: 1 });
  });

  it('a close with a code, at a call, which is then repeated', async (t) => {
    const { alice, sees, fault, counts } = await start(t);
    const rule = await fault({
      on: 'request', user: 'alice', method: 'POST', path: '/conversations/*/messages', times: 1,
      action: 'close', code: 4001, reason: 'a test',
    });
    await alice.conversation('c1').send('mine');
    await sees('mine');
    assert.deepEqual(await counts(rule), { matched: 2, fired: 1 });
  });

  it('an answer that is lost with its connection does not send the message twice', async (t) => {
    const { alice, sees, fault, counts } = await start(t);
    const rule = await fault({
      on: 'answer', user: 'alice', method: 'POST', path: '/conversations/*/messages', times: 1, action: 'drop',
    });
    await alice.conversation('c1').send('once');
    await sees('once');
    assert.deepEqual(await counts(rule), { matched: 2, fired: 1 });
  });

  it('a half-open connection is noticed and replaced', async (t) => {
    const { control, say, sees, seen, ids } = await start(t);
    const [before] = await ids('alice');
    await control('POST', 'connections/half-open', { user: 'alice' });
    await say('unheard');
    await pause(2000);
    assert.deepEqual(seen.last, []);
    await sees('unheard');
    assert.ok((await ids('alice')).every((id) => id > before));
  });

  it('a stall holds everything up, and loses nothing', async (t) => {
    const { control, alice, say, sees, seen, ids } = await start(t);
    const before = await ids('alice');
    const begin = performance.now();
    await control('POST', 'connections/stall', { user: 'alice', ms: 3000 });
    const sent = alice.conversation('c1').send('mine');
    await say('one');
    await pause(1000);
    assert.deepEqual(seen.last, []);
    await sent;
    assert.ok(performance.now() - begin >= 2900);
    await sees('mine', 'one');
    assert.deepEqual(await ids('alice'), before);
  });

  it('a stall ends when told to', async (t) => {
    const { control, say, sees } = await start(t);
    await control('POST', 'connections/stall', { all: true });
    const sent = say('one');
    await control('POST', 'connections/resume', { all: true });
    await sent;
    await sees('one');
  });

  it('delayed and duplicated frames change nothing', async (t) => {
    const { say, sees, seen, fault, counts } = await start(t);
    const rules = [
      await fault({ on: 'publish', user: 'alice', nth: 1, action: 'delay', ms: 700 }),
      await fault({ on: 'publish', user: 'alice', every: 2, action: 'duplicate' }),
      await fault({ on: 'publish', user: 'alice', action: 'duplicate', renumber: true }),
      await fault({ on: 'answer', user: 'bob', method: 'POST', action: 'duplicate' }),
    ];
    for (const text of ['a', 'b', 'c', 'd']) await say(text);
    await sees('d', 'c', 'b', 'a');
    await pause(500);
    assert.deepEqual(texts(seen.last), ['d', 'c', 'b', 'a']);
    for (const rule of rules) assert.ok((await counts(rule)).fired > 0, JSON.stringify(rule));
  });

  it('a torn frame', async (t) => {
    const { say, sees, fault } = await start(t);
    await fault({ on: 'publish', user: 'alice', event: 'message.created', times: 1, action: 'tear' });
    await say('torn');
    await sees('torn');
  });

  it('lost and corrupted events stay lost until the next connection', async (t) => {
    const { control, say, sees, seen, fault, counts } = await start(t);
    const rules = [
      await fault({ on: 'publish', user: 'alice', event: 'message.created', times: 1, action: 'lose' }),
      await fault({ on: 'publish', user: 'alice', event: 'message.created', times: 1, action: 'corrupt' }),
    ];
    await say('lost');
    await say('broken');
    await pause(500);
    assert.deepEqual(seen.last, []);
    for (const rule of rules) assert.equal((await counts(rule)).fired, 1);
    await control('POST', 'connections/drop', { user: 'alice' });
    await sees('broken', 'lost');
    await say('heard');
    await sees('heard', 'broken', 'lost');
  });

  it('an expired session logs in again on its socket', async (t) => {
    let fetched = 0;
    const tokenFetcher = () => (++fetched, Promise.resolve(token('alice')));
    const { control, alice, say, sees, ids } = await start(t, () => ({ tokenFetcher }));
    const before = await ids('alice');
    await control('POST', 'connections/expire', { user: 'alice' });
    await say('one');
    await sees('one');
    await alice.conversation('c1').send('two');
    await sees('two', 'one');
    assert.equal(fetched, 2);
    assert.deepEqual(await ids('alice'), before);
  });

  it('refused tokens are replaced', async (t) => {
    let fetched = 0;
    const tokenFetcher = () => (++fetched, Promise.resolve(token('alice')));
    const { control, say, sees, fault, counts } = await start(t, () => ({ tokenFetcher }));
    const rule = await fault({ action: 'refuse_token', user: 'alice', times: 3 });
    await control('POST', 'connections/expire', { user: 'alice' });
    await say('one');
    await sees('one');
    assert.deepEqual(await counts(rule), { matched: 4, fired: 3 });
    assert.equal(fetched, 5);
  });

  it('401, 429 and 500 are repeated; other statuses reach the caller', async (t) => {
    const { alice, sees, fault, counts } = await start(t, () => ({
      tokenFetcher: () => Promise.resolve(token('alice')),
    }));
    const at = { user: 'alice', method: 'POST', path: '/conversations/*/messages', action: 'status' };
    const rules = [
      [await fault({ ...at, on: 'request', status: 401, times: 1 }), { matched: 6, fired: 1 }],
      [await fault({ ...at, on: 'request', status: 429, times: 2 }), { matched: 5, fired: 2 }],
      // Carried out, and then repeated with the same key.
      [await fault({ ...at, on: 'answer', status: 500, times: 2 }), { matched: 3, fired: 2 }],
    ];
    await alice.conversation('c1').send('once');
    await sees('once');
    for (const [rule, wanted] of rules) assert.deepEqual(await counts(rule), wanted, JSON.stringify(rule));
    await fault({ ...at, on: 'request', status: 403, times: 1, error_code: 'NOT_TODAY', reasons: ['a reason'] });
    await assert.rejects(alice.conversation('c1').send('no'), /403 NOT_TODAY, reasons: a reason/);
    const always = await fault({ ...at, on: 'request', status: 500 });
    await assert.rejects(alice.conversation('c1').send('no'), /500 INTERNAL_ERROR/);
    assert.equal((await counts(always)).fired, 10);
  });

  it('an announced restart costs no second look', async (t) => {
    const { control, say, sees, counter, counts, ids } = await start(t);
    const reads = await counter({ user: 'alice', method: 'GET', path: '/me/**' });
    const subscriptions = await counter({ user: 'alice', method: 'SUBSCRIBE' });
    const [before] = await ids('alice');
    await control('POST', 'connections/restart', { user: 'alice', ms: 100 });
    for (let waited = 0; waited < BACK; waited += 200) {
      const after = await ids('alice');
      if (after.length > 0 && after[0] > before && (await counts(subscriptions)).matched > 0) break;
      await pause(200);
    }
    await pause(300);
    await say('after');
    await sees('after');
    assert.equal((await counts(reads)).matched, 0);
    assert.ok((await counts(subscriptions)).matched > 0);
  });

  it('refused upgrades and troubled HTTP answers are tried again', async (t) => {
    const { emulator, fault, counts } = await start(t);
    const rules = [
      await fault({ on: 'http', path: '/api/v0/*', action: 'status', status: 503, times: 1 }),
      await fault({ on: 'http', user: 'carol', path: '/api/v0/*/bokens/*', action: 'status', status: 429, times: 1 }),
      await fault({ on: 'http', user: 'carol', path: '/api/v0/*/bokens/*', action: 'drop', times: 1 }),
      await fault({ on: 'http', user: 'carol', path: '/api/v0/*/bokens/*', action: 'delay', ms: 300, times: 1 }),
      await fault({ on: 'connect', user: 'carol', action: 'status', status: 503, times: 1 }),
    ];
    const carol = session(emulator, 'carol', { signature: signature('carol') });
    await carol.currentUser.createIfNotExists({ name: 'Carol' });
    assert.equal((await carol.currentUser.get()).name, 'Carol');
    for (const rule of rules) assert.equal((await counts(rule)).fired, 1, JSON.stringify(rule));
  });

  it('the clock ends typing and tokens', async (t) => {
    let fetched = 0;
    const { control, alice, bob, sees, say, ids } = await start(t, (command) => ({
      tokenFetcher: async () => {
        ++fetched;
        const { now } = await command('GET', 'clock');
        return token('alice', { exp: Math.floor(now / 1000) + 3600 });
      },
    }));
    const typing = watch((on) => alice.conversation('c1').subscribeTyping(on));
    await typing.until((s) => s !== null && s !== undefined && !s.many && s.users.length === 0);
    await bob.conversation('c1').markAsTyping();
    await typing.until((s) => s.users?.length === 1);
    const begin = performance.now();
    await control('POST', 'clock', { advance_ms: 10_000 });
    await typing.until((s) => s.users?.length === 0);
    assert.ok(performance.now() - begin < 5000);
    const before = await ids('alice');
    assert.equal(fetched, 1);
    await control('POST', 'clock', { advance_ms: 7_200_000 });
    await say('later');
    await sees('later');
    assert.equal(fetched, 2);
    assert.deepEqual(await ids('alice'), before);
  });

  it('the same seed fires at the same messages', async (t) => {
    const run = async () => {
      const { control, say, seen, fault } = await start(t);
      await fault({
        on: 'publish', user: 'alice', event: 'message.created', probability: 0.5, seed: 11, action: 'lose',
      });
      for (let i = 0; i < 12; ++i) await say(`m${i}`);
      await control('DELETE', 'faults');
      await say('end');
      return texts(await seen.until((m) => m[0]?.plaintext === 'end'));
    };
    const [first, second] = await Promise.all([run(), run()]);
    assert.deepEqual(first, second);
    assert.ok(first.length > 1 && first.length < 13, `${first}`);
  });
});
