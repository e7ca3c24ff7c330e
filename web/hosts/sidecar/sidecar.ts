import type { IncomingMessage, ServerResponse } from "node:http";
import { seconds } from "#protocol/clock.ts";
import type { ErrorCode } from "#protocol/error.ts";
import { parsePolicy } from "#protocol/policy/statements/index.ts";
import { type Listening, listen, type Place, send, type TlsIdentity } from "../node/index.ts";
import { refusal } from "../service/index.ts";
import { openAuditFile } from "./audit-file.ts";
import { decideRequest } from "./decide.ts";
import { upstreamTo } from "./forward.ts";
import { type Pace, Paces } from "./pace.ts";

export interface SidecarOptions {
  /** Where the custodian's app finds it. */
  place: Place;
  /** Shown to both sides. The microservice lets this name in and no other. */
  identity: TlsIdentity;
  /** Distinguished Names of the custodians that are let in. */
  custodians: string[];
  /** Path of the microservice's socket, and the Distinguished Name that it shows there. */
  microservice: { socket: string; name: string };
  /** A policy of statements, as JSON (docs/policies.md). What it does not allow is refused. */
  policy: string;
  /** Path of the audit file. */
  audit: string;
  /** Default: 200 requests a second, 400 at once. */
  pace?: Pace;
  /** Milliseconds since 1970; default: this computer's clock. */
  now?: () => number;
}

export type Sidecar = Listening;

/** Starts it. Throws `TypeError` for a policy that is none. */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  const { place, identity, microservice, now = Date.now } = options;
  const { perSecond, atOnce } = options.pace ?? { perSecond: 200, atOnce: 400 };
  const by = { custodians: new Set(options.custodians), policy: parsePolicy(options.policy) };
  const paces = new Paces({ perSecond, atOnce });
  const audit = openAuditFile(options.audit);
  const upstream = upstreamTo(microservice.socket, identity, microservice.name);

  function served(request: IncomingMessage, response: ServerResponse, peer: string): void {
    const refuse = (code: ErrorCode, headers: Record<string, string> = {}) => {
      const answer = refusal(code);
      for (const [name, value] of Object.entries(headers)) answer.headers.set(name, value);
      void send(answer, response).catch(() => response.destroy());
    };
    try {
      const { method = "", url = "" } = request;
      const [path = ""] = url.split("?", 1);
      const about = { peer, method, path: path.slice(0, 256) };
      const wait = paces.wait(peer, performance.now());
      if (wait > 0) {
        audit.append({ ...about, decision: "deny", reason: "too many requests" }, now());
        refuse("too-many-requests", { "retry-after": String(wait) });
        return;
      }
      const decision = decideRequest(by, {
        ...{ peer, method, path, now: seconds(now()) },
        headers: pairsOf(request.rawHeaders),
      });
      if (!decision.allowed) {
        audit.append({ ...about, decision: "deny", reason: decision.reason }, now());
        refuse("forbidden");
        return;
      }
      // Before anything happens: what cannot be recorded is not done.
      audit.append({ ...about, decision: "allow" }, now());
    } catch {
      refuse("internal");
      return;
    }
    void upstream.forward(request, response).catch(() => {
      if (response.headersSent) response.destroy();
      else refuse("no-microservice");
    });
  }

  const listening = await listen(place, identity, served);
  return {
    place: listening.place,
    async close() {
      await listening.close();
      upstream.close();
      audit.close();
    },
  };
}

/** Node's list of names and values in turn. */
function pairsOf(raw: readonly string[]): (readonly [string, string])[] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1] ?? ""] as const] : []));
}
