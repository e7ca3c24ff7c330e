/** WebDriver BiDi over a WebSocket: https://w3c.github.io/webdriver-bidi/ */

export type BidiEvent = { method: string; params: Record<string, unknown> };

export type Bidi = {
  send<T = Record<string, unknown>>(method: string, params: object): Promise<T>;
  onEvent(listener: (event: BidiEvent) => void): void;
  close(): void;
};

type Message = {
  id?: number;
  type: "success" | "error" | "event";
  result?: unknown;
  error?: string;
  message?: string;
  method?: string;
  params?: Record<string, unknown>;
};

export async function connectBidi(url: string): Promise<Bidi> {
  const socket = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = () => reject(new Error(`no WebDriver BiDi at ${url}`));
  });
  const waiting = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  const listeners: ((event: BidiEvent) => void)[] = [];
  let last = 0;
  socket.onmessage = ({ data }) => {
    const { id, type, result, error, message, method, params } = JSON.parse(String(data)) as Message;
    if (type === "event") {
      for (const listener of listeners) listener({ method: method ?? "", params: params ?? {} });
      return;
    }
    const pending = waiting.get(id ?? 0);
    waiting.delete(id ?? 0);
    if (type === "error") pending?.reject(new Error(`${error}: ${message}`));
    else pending?.resolve(result as never);
  };
  socket.onclose = () => {
    for (const { reject } of waiting.values()) reject(new Error("the WebDriver BiDi connection is closed"));
    waiting.clear();
  };
  return {
    send(method, params) {
      const id = ++last;
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        socket.send(JSON.stringify({ id, method, params }));
      });
    },
    onEvent: (listener) => listeners.push(listener),
    close: () => socket.close(),
  };
}
