/** The page of the emulator: which fault the next enrolments on this machine have. For development; it knows nothing and vouches for nothing. */
import { createServer, type IncomingMessage } from "node:http";
import { type Answer, COMMON, end, listen, NOT_SERVED, page, readForm, stylesheet } from "../pages/index.ts";
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

const ADDRESS = "127.0.0.1";
const PORT = 8790;
const MAX_BODY = 1024;
/** Beside what every answer has: nothing of another origin gets at it. */
const APART = {
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
};

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
    if (request.headers.host !== new URL(origin).host) return page(421, sentencePage(...NOT_SERVED));
    const { pathname } = new URL(request.url ?? "/", origin);
    switch (`${request.method} ${pathname}`) {
      case "GET /":
        return page(200, faultsPage(on));
      case "GET /style.css":
        return stylesheet(style);
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
    const form = from === origin && site === "same-origin" ? await readForm(request, MAX_BODY) : null;
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
      ({ status, headers, body }) =>
        response.writeHead(status, { ...COMMON, ...APART, ...headers }).end(body),
      () => response.destroy(),
    );
  });
  server.requestTimeout = 10_000;
  const wanted = options.port ?? PORT;
  const last = options.port === undefined ? wanted + 100 : wanted;
  for (let port = wanted; origin === ""; port++) {
    try {
      origin = `http://${ADDRESS}:${await listen(server, ADDRESS, port)}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE" || port >= last) throw error;
    }
  }
  return {
    origin,
    on: () => on,
    turn,
    close: () => end(server),
  };
}
