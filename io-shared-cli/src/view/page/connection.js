// The connection: a client of the Foxglove WebSocket protocol.

const PROTOCOLS = ['foxglove.sdk.v1', 'foxglove.websocket.v1'];
const AGAIN = 1000; // milliseconds until the next try

/** Keeps connected, and tells `on` what comes: topics, messages, what is wrong. */
export class Connection {
  constructor(on) {
    this.on = on;
    this.topics = new Map();        // by the server's number
    this.wanted = new Map();        // what is subscribed to, by the topic's name: a set of callbacks
    this.subscriptions = new Map(); // the topic's name and the server's number, by our number
    this.next = 1;
    this.open();
  }

  open() {
    const { protocol, host, search } = location;
    const url = `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/${search}`;
    const socket = this.socket = new WebSocket(url, PROTOCOLS);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.isStrange = false;
      this.on.state('connected', false);
    };
    socket.onmessage = ({ data }) =>
      typeof data === 'string' ? this.hear(JSON.parse(data)) : this.take(data);
    socket.onclose = () => {
      this.explain();
      const gone = [...this.topics.values()];
      this.topics.clear();
      this.subscriptions.clear();
      gone.forEach((topic) => this.on.gone(topic));
      setTimeout(() => this.open(), AGAIN);
    };
  }

  /** Says why there is no connection. A server that was started anew has another token. */
  async explain() {
    if (!this.isStrange) {
      this.on.state('the connection is lost: is io-shared view still running? Trying again', true);
    }
    const answer = await fetch(`/${location.search}`).catch(() => null);
    if (this.socket.readyState === WebSocket.OPEN) return;
    this.isStrange = answer?.status === 401;
    if (this.isStrange) {
      this.on.state('io-shared view was started anew: open the address that it printed', true);
    }
  }

  hear(message) {
    switch (message.op) {
      case 'advertise':
        for (const topic of message.channels) this.topics.set(topic.id, topic);
        for (const topic of message.channels) {
          if (this.wanted.has(topic.topic)) this.subscribe(topic);
          this.on.come(topic);
        }
        break;
      case 'unadvertise':
        for (const id of message.channelIds) {
          const topic = this.topics.get(id);
          this.topics.delete(id);
          for (const [number, known] of this.subscriptions) {
            if (known.id === id) this.subscriptions.delete(number);
          }
          if (topic) this.on.gone(topic);
        }
        break;
      case 'status':
        if (message.level > 0) this.on.notice(message.message);
        break;
    }
  }

  /** A message of a subscription: 1, its number, nanoseconds since 1970, and the content. */
  take(data) {
    const view = new DataView(data);
    if (view.getUint8(0) !== 1) return;
    const known = this.subscriptions.get(view.getUint32(1, true));
    const callbacks = known && this.wanted.get(known.name);
    if (!callbacks) return;
    const time = Number(view.getBigUint64(5, true)) / 1e9;
    const topic = this.topics.get(known.id);
    for (const callback of callbacks) callback(data, 13, time, topic);
  }

  /** The topic of that name, if it is there. */
  topic(name) {
    return [...this.topics.values()].find((topic) => topic.topic === name);
  }

  /** Calls `callback` with each message of a topic, also of one that comes later. */
  want(name, callback) {
    if (!this.wanted.has(name)) {
      this.wanted.set(name, new Set());
      const topic = this.topic(name);
      if (topic) this.subscribe(topic);
    }
    this.wanted.get(name).add(callback);
  }

  drop(name, callback) {
    const callbacks = this.wanted.get(name);
    if (!callbacks?.delete(callback) || callbacks.size > 0) return;
    this.wanted.delete(name);
    const ids = [...this.subscriptions].filter(([, known]) => known.name === name).map(([id]) => id);
    ids.forEach((id) => this.subscriptions.delete(id));
    if (ids.length) this.say({ op: 'unsubscribe', subscriptionIds: ids });
  }

  subscribe(topic) {
    const id = this.next++;
    this.subscriptions.set(id, { name: topic.topic, id: topic.id });
    this.say({ op: 'subscribe', subscriptions: [{ id, channelId: topic.id }] });
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
