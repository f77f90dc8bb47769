// What the scenarios share: people with an emulator of their own, and the app's server and the tester behind them.
import assert from 'node:assert/strict';

import { APP, KEY, session, startEmulator } from './harness.mjs';

export const texts = (messages) => messages.map((m) => m.plaintext);
export const ids = (list) => list.map((item) => item.id);
export const capital = (name) => name[0].toUpperCase() + name.slice(1);

// An emulator for one test, and a session for each name, whose user exists.
export async function start(t, ...names) {
  const emulator = await startEmulator();
  t.after(async () => assert.equal(await emulator.stop(), 0));
  const people = {};
  for (const name of names) {
    people[name] = session(emulator, name);
    await people[name].currentUser.createIfNotExists({ name: capital(name) });
  }
  return { emulator, ...people };
}

// A conversation that the first session made and all are in.
export async function conversation(id, [first, ...others], attributes = {}) {
  const ref = first.conversation(id);
  await ref.createIfNotExists(attributes);
  for (const other of others) await ref.participant(other.currentUser.id).createIfNotExists();
  return ref;
}

async function request(method, url, headers, body) {
  const response = await fetch(url, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json();
  assert.equal(response.status, 200, `${method} ${url}: ${JSON.stringify(answer)}`);
  return answer;
}

// The tester's endpoint.
export const control = (emulator, method, path, body) =>
  request(method, `http://${emulator.host}/_emulator/v1/${path}`, {}, body);
export const advance = (emulator, millis) => control(emulator, 'POST', 'clock', { advance_ms: millis });

// The app's own server.
export const rest = (emulator, method, path, body) =>
  request(
    method,
    `http://${emulator.host}/public_api/v1/${APP}/${path}`,
    { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
    body,
  );

// Users whom the server makes.
export const addUsers = (emulator, names) =>
  rest(emulator, 'PUT', 'users', Object.fromEntries(names.map((name) => [name, { name: capital(name) }])));

// The SDK waits for 5 to 15 s before it connects again: the least of it.
export function reconnectSoon(t) {
  const random = Math.random;
  Math.random = () => random() / 100;
  t.after(() => (Math.random = random));
}

// What everything on the way has arrived by.
export const settle = (millis = 150) => new Promise((resolve) => setTimeout(resolve, millis));
