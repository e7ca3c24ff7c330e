/** The Chrome DevTools Protocol over a WebSocket, with flat sessions. */

export type CdpEvent = { method: string; params: Record<string, unknown>; session: string | undefined };

export type Cdp = {
  /** Sends a command to a session (none: the browser) and gives its result; throws with the browser's message. */
  send(method: string, params?: object, session?: string): Promise<Record<string, unknown>>;
  /** Hears all events of all sessions, in order. */
  onEvent(listener: (event: CdpEvent) => void): void;
  close(): void;
};

type Message = {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
  sessionId?: string;
};

/** Connects to the browser's own endpoint. */
export async function connectCdp(url: string): Promise<Cdp> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`no DevTools connection to ${url}`));
  });
  const waiting = new Map<
    number,
    { resolve(result: Record<string, unknown>): void; reject(error: Error): void }
  >();
  const listeners: ((event: CdpEvent) => void)[] = [];
  let last = 0;
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    if (message.id === undefined) {
      const event = {
        method: message.method ?? "",
        params: message.params ?? {},
        session: message.sessionId,
      };
      for (const listener of listeners) listener(event);
      return;
    }
    const pending = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) pending?.reject(new Error(message.error.message));
    else pending?.resolve(message.result ?? {});
  };
  socket.onclose = () => {
    for (const { reject } of waiting.values()) reject(new Error("the DevTools connection is closed"));
    waiting.clear();
  };
  return {
    send(method, params = {}, session) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params, ...(session && { sessionId: session }) }));
      });
    },
    onEvent: (listener) => listeners.push(listener),
    close: () => socket.close(),
  };
}
