/** A proxy on loopback between a client and the edge, which loses answers on the way or puts others in their place. */

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import { loopbackFetch } from "#cli/loopback-fetch.ts";
import { listen } from "../support/ports.ts";

export type Passing = { method: string; path: string };
export type Answer = { status: number; headers: IncomingHttpHeaders; body: Buffer };
/** What becomes of one exchange. */
export type Fate = {
  /** The request is lost: the edge never sees it. */
  unsent?: true;
  /** What is answered instead of what the edge has answered; null: nothing, the connection breaks off. */
  alter?: (answer: Answer) => Answer | null;
  /** The answer breaks off after half of its body. */
  halved?: true;
};

export type Proxy = {
  /** A `fetch` that goes by way of this proxy, whatever the origin on this machine. */
  fetch: typeof fetch;
  /** What has passed, in order. */
  passed: Passing[];
  close(): Promise<void>;
};

/** Tells the proxy which port of the edge is meant. */
const PORT = "x-port";

/** Starts it before the edge. `decide` is asked for every request. */
export async function startProxy(decide: (passing: Passing) => Fate | undefined): Promise<Proxy> {
  const passed: Passing[] = [];
  const server = createServer((incoming, outgoing) => {
    const passing = { method: incoming.method ?? "", path: incoming.url?.split("?")[0] ?? "" };
    passed.push(passing);
    relay(incoming, outgoing, decide(passing) ?? {}).catch(() => outgoing.destroy());
  });
  const own = await listen(server);
  return {
    passed,
    fetch: (input, init) => {
      const url = new URL(String(input));
      const headers = { ...(init?.headers as Record<string, string>), [PORT]: url.port };
      url.port = String(own);
      return loopbackFetch(url, { ...init, headers });
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function relay(incoming: IncomingMessage, outgoing: ServerResponse, fate: Fate) {
  const body = await bytesOf(incoming);
  if (fate.unsent) return outgoing.destroy();
  const answer = await forward(incoming, body);
  const given = fate.alter ? fate.alter(answer) : answer;
  if (given === null) return outgoing.destroy();
  outgoing.writeHead(given.status, given.headers);
  if (!fate.halved) return outgoing.end(given.body);
  // Half of it is on its way before the connection breaks off.
  outgoing.write(given.body.subarray(0, given.body.length >> 1), () => outgoing.destroy());
}

/** Asks the edge, or the identity provider, under its own name and port. */
async function forward(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
  const { method, url: path } = incoming;
  const { [PORT]: port, host = "", ...others } = incoming.headers;
  const headers = { ...others, host: `${host.split(":", 1)[0]}:${port}` };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port: String(port), method, path, headers, agent: false });
    sent.on("response", resolve).on("error", reject).end(body);
  });
  const given = await bytesOf(response);
  const { "transfer-encoding": _, ...fields } = response.headers;
  // It has been taken whole, and goes on with its length.
  const length = response.statusCode === 204 ? {} : { "content-length": `${given.length}` };
  return { status: response.statusCode ?? 0, headers: { ...fields, ...length }, body: given };
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}
