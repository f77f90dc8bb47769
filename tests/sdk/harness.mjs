// What the tests in this folder share: an emulator of their own, tokens, SDK sessions, and snapshots to wait for.
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

import { getTalkSession, registerPolyfills } from '@talkjs/core';
import WebSocket from 'ws';

export const APP = 'demo';
export const KEY = 'sk_test_demo';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const binaries = process.env.TALKJSD_BIN ?? path.join(root, 'build/dev/bin');

// Every socket the SDK opens, so that a test can cut one. The SDK listens to no errors, and Node aborts on an error that
// nobody listens to.
export const sockets = [];
class RecordedSocket extends WebSocket {
  constructor(...args) {
    super(...args);
    this.on('error', () => {});
    sockets.push(this);
  }
}
registerPolyfills({ WebSocket: RecordedSocket });

// A running talkjs-emulator on a port of its own.
export async function startEmulator(...flags) {
  const child = spawn(
    path.join(binaries, 'talkjs-emulator'),
    ['--listen', '127.0.0.1:0', '--app-id', APP, ...flags],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TALKJS_SECRET_KEY: KEY } },
  );
  const [line] = await Promise.race([
    once(readline.createInterface({ input: child.stdout }), 'line'),
    once(child, 'exit').then(([code]) => {
      throw new Error(`talkjs-emulator exited with ${code}`);
    }),
  ]);
  const address = /^talkjs-emulator listening on (127\.0\.0\.1:\d+)$/.exec(line)?.[1];
  if (!address) throw new Error(`unexpected first line: ${line}`);
  return {
    host: address,
    pid: child.pid,
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
    // Its exit code.
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const [code] = await exited;
      return code;
    },
  };
}

const base64url = (text) => Buffer.from(text).toString('base64url');

export function token(user, claims = {}, key = KEY) {
  const exp = Math.floor(Date.now() / 1000) + 24 * 3600;
  const body = { tokenType: 'user', iss: APP, sub: user, exp, ...claims };
  const signed = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(body))}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

export const signature = (user, key = KEY) => createHmac('sha256', key).update(user).digest('hex');

// A session of its own for every call; with a token unless told otherwise.
export function session(emulator, userId, options = { token: token(userId) }) {
  return getTalkSession({
    appId: APP,
    userId,
    host: emulator.host,
    forceCreateNew: true,
    ...options,
  });
}

// Collects the snapshots of one subscription: watch((on) => ref.subscribe(on)).
export function watch(subscribe) {
  const seen = [];
  const waiting = new Set();
  const subscription = subscribe((snapshot, loadedAll) => {
    seen.push({ snapshot, loadedAll });
    for (const check of [...waiting]) check();
  });
  return {
    subscription,
    get last() {
      return seen.at(-1)?.snapshot;
    },
    get loadedAll() {
      return seen.at(-1)?.loadedAll;
    },
    // The newest snapshot, as soon as `accept` likes it. What came before this call is not looked at again, but for the
    // newest.
    until(accept, what = accept.toString(), millis = 5000) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(new Error(`no snapshot with ${what}; the newest: ${brief(seen.at(-1))}`));
        }, millis);
        const check = () => {
          const newest = seen.at(-1);
          if (!newest || !accept(newest.snapshot, newest.loadedAll)) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(newest.snapshot);
        };
        waiting.add(check);
        check();
      });
    },
  };
}

// A frame, or what came in the place of one.
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return ['broken', text];
  }
}

// A socket without the SDK: frames go out as they are, answers come back by number, events in the order of arrival.
export async function rawSocket(emulator, user, app = APP) {
  const socket = new WebSocket(
    `ws://${emulator.host}/public_api/v1/${app}/realtime/${encodeURIComponent(user)}`,
  );
  const frames = [];
  const waiting = new Set();
  socket.on('error', () => {});
  socket.on('message', (data) => {
    const frame = parse(`${data}`);
    frame.arrived = performance.now();
    frames.push(frame);
    for (const check of [...waiting]) check();
  });
  const closed = once(socket, 'close').then(([code, reason]) => ({ code, reason: `${reason}` }));
  closed.catch(() => {});  // an upgrade that is refused fails below
  await once(socket, 'open');
  let next = 0;
  const until = (accept) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no such frame')), 5000);
      const check = () => {
        const found = frames.find(accept);
        if (!found) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  return {
    socket,
    frames,
    closed,
    until,
    send: (text) => socket.send(text),
    // [status, data]
    async call(method, callPath, data = {}) {
      const number = next++;
      socket.send(JSON.stringify([number, method, callPath, data, {}]));
      const frame = await until((f) => f[0] === number && typeof f[1] === 'number');
      return [frame[1], frame[2]];
    },
    login: (claims) => socket.readyState === WebSocket.OPEN && token(user, claims),
    get published() {
      return frames.filter((f) => f[1] === 'PUBLISH');
    },
    get events() {
      return this.published.flatMap((f) => f.slice(2));
    },
    close: () => socket.close(),
  };
}

const brief = (value) => {
  const text = JSON.stringify(value) ?? 'none';
  return text.length > 600 ? `${text.slice(0, 600)}… (${text.length} characters)` : text;
};
