// Users of the unmodified SDK for the tests in Python: node senders.mjs HOST USER...
// Commands come as lines of JSON on standard input, each is answered with one line on standard output.
import readline from 'node:readline';

import { session, token, watch } from '../sdk/harness.mjs';

const [host, ...names] = process.argv.slice(2);
const sessions = Object.fromEntries(names.map((name) => [name, session({ host }, name)]));

const flood = { halted: false, conversations: [], lanes: [], sent: {} };

async function floodLane(user) {
  const numbers = {};
  for (let turn = 0; !flood.halted; ++turn) {
    const conversation = flood.conversations[turn % flood.conversations.length];
    const number = (numbers[conversation] = (numbers[conversation] ?? -1) + 1);
    const { id } = await sessions[user].conversation(conversation).send(`${conversation} ${user} ${number}`);
    flood.sent[conversation].push(id);
  }
}

// The newest snapshot of a list, once it has so many entries.
async function full(subscribe, complete) {
  const seen = watch(subscribe);
  const list = await seen.until((l) => l?.length === complete, `${complete} entries`);
  seen.subscription.unsubscribe();
  return list;
}

const commands = {
  // Makes the users and the conversations, with everybody in each, `others` included.
  async prepare({ conversations, others = [] }) {
    for (const name of names) await sessions[name].currentUser.createIfNotExists({ name });
    const [maker] = names;
    for (const id of conversations) {
      const ref = sessions[maker].conversation(id);
      await ref.createIfNotExists({ subject: `about ${id}` });
      for (const other of [...names.slice(1), ...others]) {
        await ref.participant(other).createIfNotExists();
      }
    }
    return {};
  },

  // Every user sends to every conversation, at the same time, one message after the other; `count` in all. A text is
  // "conversation user number". Answers the ids that TalkJS gave.
  async send({ conversations, count }) {
    const lanes = names.flatMap((user) => conversations.map((conversation) => ({ user, conversation })));
    const sent = [];
    await Promise.all(
      lanes.map(async ({ user, conversation }, lane) => {
        const share = Math.floor(count / lanes.length) + (lane < count % lanes.length ? 1 : 0);
        for (let number = 0; number < share; ++number) {
          const text = `${conversation} ${user} ${number}`;
          const { id } = await sessions[user].conversation(conversation).send(text);
          sent.push({ id, conversation, user, number, text });
        }
      }),
    );
    return { sent };
  },

  // From now on, until `halt`, every user sends to these conversations in turn, each time as soon as the SDK says that
  // the message before has arrived. Texts as in `send`; answers at once. Again: to these instead.
  async flood({ conversations }) {
    for (const conversation of conversations) flood.sent[conversation] ??= [];
    flood.conversations = conversations;
    if (flood.lanes.length === 0) flood.lanes = names.map(floodLane);
    return {};
  },

  // Ends the flood; answers, by conversation, the ids that TalkJS gave, in the order of its answers.
  async halt() {
    flood.halted = true;
    await Promise.all(flood.lanes);
    return { sent: flood.sent };
  },

  // What a new session of the SDK shows a user: the list of conversations once it is complete.
  async view({ user, complete }) {
    const seen = watch((on) => session({ host }, user).subscribeConversations(on));
    const list = await seen.until(
      (l) => l?.length === complete && l.every((c) => c.lastMessage !== undefined),
      `${complete} conversations`,
    );
    seen.subscription.unsubscribe();
    return {
      list: list.map((c) => ({
        id: c.id,
        isUnread: c.isUnread,
        unreadMessageCount: c.unreadMessageCount,
        lastMessageId: c.lastMessage?.id ?? null,
      })),
    };
  },

  async read({ user, conversation }) {
    await sessions[user].conversation(conversation).markAsRead();
    return {};
  },

  async unread({ user, conversation }) {
    await sessions[user].conversation(conversation).markAsUnread();
    return {};
  },

  // Snapshots as the SDK hands them out; null: there is none.
  async user({ user, id }) {
    return { user: await sessions[user].user(id).get() };
  },

  async conversation({ user, id }) {
    return { conversation: await sessions[user].conversation(id).get() };
  },

  // By user id.
  async participants({ user, id, complete }) {
    const list = await full((on) => sessions[user].conversation(id).subscribeParticipants(on), complete);
    return { participants: Object.fromEntries(list.map((one) => [one.user.id, one])) };
  },

  // Newest first.
  async messages({ user, id, complete }) {
    return { messages: await full((on) => sessions[user].conversation(id).subscribeMessages(on), complete) };
  },

  // Waits until the user is there, or is not.
  async online({ user, id, wanted }) {
    const seen = watch((on) => sessions[user].user(id).subscribeOnline(on));
    await seen.until((one) => one?.isConnected === wanted, `${id} connected: ${wanted}`);
    seen.subscription.unsubscribe();
    return {};
  },

  // `params` as the SDK's send() has them; answers the message's id.
  async say({ user, id, params }) {
    return { id: (await sessions[user].conversation(id).send(params)).id };
  },

  // Answers the token of a picture.
  async upload({ user, text, filename, width, height }) {
    const blob = new Blob([text], { type: 'image/png' });
    return { fileToken: await sessions[user].uploadImage(blob, { filename, width, height }) };
  },

  // What becomes of a session of the SDK for an app, of which there may be none: "works" or the error's name.
  async tryApp({ user, appId }) {
    const it = session({ host }, user, { appId, token: token(user, { iss: appId }) });
    const error = new Promise((resolve) => it.onError((what) => resolve(`${what?.name}: ${what?.message}`)));
    const works = it.currentUser.get().then(() => 'works', () => new Promise(() => {}));
    return { outcome: await Promise.race([works, error]) };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { command, ...options } = JSON.parse(line);
  // Commands may run side by side; each answers when it is done.
  commands[command](options).then(
    (answer) => console.log(JSON.stringify(answer)),
    (error) => console.log(JSON.stringify({ error: `${command}: ${error}` })),
  );
}
process.exit(0);
