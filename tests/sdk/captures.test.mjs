// What the SDK once sent to another server is sent to the emulator again: its answers and events must have the shape of
// those the SDK understood then. Times, ids of messages and cursors differ; everything else is compared.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { rawSocket, startEmulator, token } from './harness.mjs';

const folder = path.join(path.dirname(fileURLToPath(import.meta.url)), '../data/captures');

const isTime = (v) => Number.isInteger(v) && v > 1e12;

// Times and ids of messages by a placeholder; reasons are for people.
function shape(value, key = '') {
  if (isTime(value)) return '<time>';
  if (typeof value === 'string' && /^msg_/.test(value)) return '<message>';
  if (key === 'cursor' && typeof value === 'string') return '<cursor>';
  if (key === 'fileToken') return '<file>';
  if (key === 'url' && value.includes('/files/')) return `<files>/${value.split('/').at(-1)}`;
  if (key === 'expiresInSeconds' && value !== null) return '<seconds>';
  if (Array.isArray(value)) return value.map((v) => shape(v));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([k]) => k !== 'reasons')
      .map(([k, v], i) => [/^msg_(?!unknown)/.test(k) ? `<message ${i}>` : k, shape(v, k)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

// Whether these moved depends on the millisecond in which things happened.
function eventShape(event) {
  const result = shape(event);
  if (result.type === 'side.edited') {
    delete result.diff.everyoneReadUntil;
    if (Object.keys(result.diff).length === 0) return null;
  }
  // The other server left out createdAt where the client knows the emoji already.
  if (result.diff?.reactions) {
    for (const reaction of Object.values(result.diff.reactions)) if (reaction) delete reaction.createdAt;
  }
  return result;
}

// Ids and cursors of then, and what stands in their place now.
class Names {
  #map = new Map();
  learn(then, now) {
    if (typeof then === 'string' && typeof now === 'string' && then !== now) this.#map.set(then, now);
    if (then && now && typeof then === 'object' && typeof now === 'object') {
      for (const key of ['id', 'cursor', 'fileToken']) this.learn(then[key], now[key]);
      if (Array.isArray(then.data)) then.data.forEach((item, i) => this.learn(item?.id, now.data?.[i]?.id));
    }
  }
  apply(text) {
    let result = text;
    for (const [then, now] of this.#map) result = result.replaceAll(JSON.stringify(then).slice(1, -1), now);
    return result;
  }
}

// An upload or a search, by the same user with the same form.
async function replayHttp(emulator, names, then) {
  const [, claims] = then.headers.authorization.split('.');
  const { sub } = JSON.parse(Buffer.from(claims, 'base64url'));
  const headers = { Authorization: `Bearer ${token(sub)}` };
  let body;
  if (then.form) {
    body = new FormData();
    for (const [field, value] of then.form) {
      if (typeof value === 'string') body.append(field, value);
      else body.append(field, new Blob([new Uint8Array(value.size)], { type: value.type }), value.filename);
    }
  }
  const url = `http://${emulator.host}${names.apply(then.path)}`;
  const response = await fetch(url, { method: then.method, headers, body });
  const text = await response.text();
  const { attachmentToken, ...answer } = JSON.parse(text);
  assert.deepEqual(shape([response.status, answer]), shape([then.status, then.body]), then.path);
  // Clients read searches line by line.
  const lines = (document) => document.split('\n').map((line) => line.slice(0, 2));
  if (then.rawBody) assert.deepEqual(lines(text), lines(then.rawBody), then.path);
  names.learn(then.body, answer);
}

async function replay(t, name) {
  // The other server let users send links.
  const emulator = await startEmulator('--users-may-send-links');
  t.after(() => emulator.stop());
  const lines = fs
    .readFileSync(path.join(folder, `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => JSON.parse(line));
  const answers = new Map();
  const events = new Map();
  for (const { conn, dir, frame } of lines) {
    if (dir !== 's2c') continue;
    if (frame[1] === 'PUBLISH') {
      events.set(conn, [...(events.get(conn) ?? []), ...frame.slice(2)]);
    } else {
      answers.set(`${conn}/${frame[0]}`, frame);
    }
  }
  const names = new Names();
  const sockets = new Map();
  for (const { conn, ws, user, dir, frame, http } of lines) {
    if (http?.path.startsWith('/public_api/')) await replayHttp(emulator, names, http);
    if (ws === 'connect') sockets.set(conn, await rawSocket(emulator, user));
    if (/^(client-)?(close|terminate)$/.test(ws ?? '')) {
      sockets.get(conn)?.close();
      await sockets.get(conn)?.closed;
    }
    if (dir !== 'c2s' || frame[1] === 'ACK') continue;
    const then = answers.get(`${conn}/${frame[0]}`);
    if (!then) continue; // the recording ended, or the frame was broken on purpose
    const socket = sockets.get(conn);
    let text = names.apply(JSON.stringify(frame));
    if (frame[2] === '/session/renew' && then[1] === 200) {
      const exp = then[2].expiresInSeconds === null ? undefined : Math.floor(Date.now() / 1000) + 86400;
      text = JSON.stringify([frame[0], 'POST', frame[2], { token: token(userOf(lines, conn), { exp }) }, {}]);
    }
    // No two calls in one millisecond, as it was then: times decide the order of lists, and what counts as read.
    await new Promise((passed) => setTimeout(passed, 2));
    socket.send(text);
    const now = await socket.until((f) => f[0] === frame[0] && typeof f[1] === 'number');
    if (isEmptyText(frame)) {
      // The other server took it; TalkJS is believed not to (daemon/emulator/decisions.h, 29).
      assert.equal(now[1], 400);
      continue;
    }
    assert.deepEqual(shape([now[1], now[2]]), shape([then[1], then[2]]), JSON.stringify(frame));
    names.learn(then[2], now[2]);
  }
  await new Promise((resolve) => setTimeout(resolve, 100));
  for (const [conn, then] of events) {
    const expected = then.map(eventShape).filter(Boolean);
    const received = sockets.get(conn).events.map(eventShape).filter(Boolean);
    assert.deepEqual(received, expected, `events of connection ${conn}`);
  }
}

const isEmptyText = (frame) => frame[3]?.content?.[0]?.children?.length === 0;

const userOf = (lines, conn) => lines.find((l) => l.conn === conn && l.ws === 'connect').user;

for (const name of [
  'conversations',
  'conversation-list',
  'files',
  'idle',
  'load-more',
  'login-boken',
  'login-token',
  'markup',
  'messages',
  'pacing',
  'raw-protocol',
  'reactions',
  'read-state',
  'search',
  'translate',
  'users',
]) {
  test(`captures/${name}`, (t) => replay(t, name));
}
