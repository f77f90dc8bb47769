// The page of ui.test.mjs: what a TalkJS customer writes, a list of conversations beside a chat.
// Who it is for comes in the page's address: ?userId=…&token=…&host=…
import { Chatbox, ConversationList } from '@talkjs/react-components';
import '@talkjs/react-components/default.css';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

const { userId, token, host } = Object.fromEntries(new URLSearchParams(location.search));
const session = { appId: 'demo', userId, token, host };

function Page() {
  const [selected, select] = useState(null);
  return (
    <div style={{ display: 'flex', height: '100vh' }}>
      <ConversationList
        {...session}
        style={{ width: 320, height: '100%' }}
        selectedConversationId={selected}
        onSelectConversation={(event) => select(event.conversation.id)}
      />
      <Chatbox
        {...session}
        ref={(controller) => (window.chatbox = controller)}
        style={{ flex: 1, height: '100%' }}
        conversationId={selected}
      />
    </div>
  );
}

createRoot(document.getElementById('root')).render(<Page />);
