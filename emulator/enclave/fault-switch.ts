/** The page of the emulator: which fault the next enrolments on this machine have. For development; it knows nothing and vouches for nothing. */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type FaultChosen, faultNamed } from "./fault-groups.ts";
import { faultsPage, sentencePage, style } from "./fault-page.ts";

export interface FaultSwitch {
  /** Where the page is: `http://127.0.0.1:PORT`. */
  origin: string;
  /** The fault that is on. */
  on(): FaultChosen | null;
  /** Turns one on, by `GROUP/NAME`, in place of what was on; null for none. Throws an `Error` for what is no fault. */
  turn(fault: string | null): void;
  close(): Promise<void>;
}

type Answer = { status: number; headers: Record<string, string>; body: string };

const ADDRESS = "127.0.0.1";
const PORT = 8790;
const MAX_BODY = 1024;
const COMMON = {
  "cache-control": "no-store",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};
const POLICY =
  "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** Serves until it is closed. Throws an `Error` in production. `port`: the usual one or the next that is free, unless given; 0 for any. */
export async function startFaultSwitch(
  options: { port?: number; production?: boolean } = {},
): Promise<FaultSwitch> {
  if (options.production) throw new Error("The page of faults is for development");
  let on: FaultChosen | null = null;
  let origin = "";
  const turn = (text: string | null) => {
    const fault = text === null ? null : faultNamed(text);
    if (fault === null && text !== null) throw new Error("no such fault");
    on = fault;
  };

  async function answer(request: IncomingMessage): Promise<Answer> {
    // A name that was rebound to this machine (DNS rebinding) is not answered.
    if (request.headers.host !== new URL(origin).host)
      return page(421, sentencePage("Not found", "Nothing is served under this name."));
    const { pathname } = new URL(request.url ?? "/", origin);
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return page(200, faultsPage(on));
      case "GET /style.css":
        return { status: 200, headers: { "content-type": "text/css; charset=utf-8" }, body: style };
      case "GET /fault":
        return {
          status: 200,
          headers: { "content-type": "application/json" },
          body: JSON.stringify(on ?? {}),
        };
      case "POST /":
        return choose(request);
      default:
        return page(404, sentencePage("Not found", "There is nothing here."));
    }
  }

  async function choose(request: IncomingMessage): Promise<Answer> {
    // A page of another origin, a port beside this one included, turns nothing: browsers say where a form came from.
    const { origin: from, "sec-fetch-site": site = "same-origin" } = request.headers;
    const form = from === origin && site === "same-origin" ? await readForm(request) : null;
    if (form === null) return page(403, sentencePage("Not accepted", "This form came from elsewhere."));
    const wanted = form.get("fault") ?? "";
    if (wanted !== "" && faultNamed(wanted) === null)
      return page(400, sentencePage("No such fault", "It is not in the list of this release."));
    turn(wanted === "" ? null : wanted);
    // A browser comes with GET (RFC 9110 §15.4.4), and to where it was.
    return {
      status: 303,
      headers: { location: wanted === "" ? "/" : `/#${wanted.replace("/", "-")}` },
      body: "",
    };
  }

  const server = createServer((request, response) => {
    answer(request).then(
      ({ status, headers, body }) => response.writeHead(status, { ...COMMON, ...headers }).end(body),
      () => response.destroy(),
    );
  });
  server.requestTimeout = 10_000;
  const wanted = options.port ?? PORT;
  const last = options.port === undefined ? wanted + 100 : wanted;
  for (let port = wanted; ; port++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ host: ADDRESS, port, exclusive: true }, () => {
          server.off("error", reject);
          resolve();
        });
      });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || port >= last) throw error;
    }
  }
  origin = `http://${ADDRESS}:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    on: () => on,
    turn,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams | null> {
  if (!(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded")) return null;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) return null;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString());
}

function page(status: number, body: string): Answer {
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": POLICY };
  return { status, headers, body };
}
