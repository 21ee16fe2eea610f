// What a wallet injects into a page: an EIP-1193 provider, here over the node's own endpoints.
// Requests go by HTTP from the page's origin to the node's; subscriptions by WebSocket.
(() => {
  const { http, ws } = window.node;
  const listeners = new Map();
  const emit = (event, ...values) => (listeners.get(event) ?? []).forEach((listener) => listener(...values));
  let lastId = 0;

  function answer({ result, error }) {
    if (error) throw Object.assign(new Error(error.message), { code: error.code, data: error.data });
    return result;
  }

  let socket;
  const waiting = new Map();
  function connected() {
    socket ??= new Promise((resolve, reject) => {
      const opening = new WebSocket(ws);
      opening.onopen = () => resolve(opening);
      opening.onerror = () => reject(new Error('no WebSocket'));
      opening.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (message.method === 'eth_subscription') emit('message', { type: message.method, data: message.params });
        else waiting.get(message.id)(message);
      };
    });
    return socket;
  }
  async function overSocket(method, params) {
    const opened = await connected();
    const id = ++lastId;
    const message = await new Promise((resolve) => {
      waiting.set(id, resolve);
      opened.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
    });
    return answer(message);
  }

  window.ethereum = {
    isMetaMask: false,
    async request({ method, params = [] }) {
      if (method === 'eth_requestAccounts') method = 'eth_accounts';
      if (method === 'eth_subscribe' || method === 'eth_unsubscribe') return overSocket(method, params);
      const body = JSON.stringify({ jsonrpc: '2.0', id: ++lastId, method, params });
      const response = await fetch(http, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
      return answer(await response.json());
    },
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
      return this;
    },
    removeListener(event, listener) {
      listeners.set(event, (listeners.get(event) ?? []).filter((each) => each !== listener));
      return this;
    },
  };
})();
