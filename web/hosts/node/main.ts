/**
 * The microservice as a process of its own (M4, M15): the whole of what is measured, one self-contained module, which the
 * process that launches it hands over as bytes. It serves the one custodian at the other end of the channel, and ends with it.
 */
import { decodeBase64url } from "#protocol/base64url.ts";
import { CofferError } from "#protocol/error.ts";
import { attestationAttribute } from "#protocol/pki/index.ts";
import type { Attester } from "../../microservice/index.ts";
import type { FromMicroservice, ToMicroservice } from "./messages.ts";
import { startMicroservice } from "./microservice.ts";

/** Root SPKI, base64url; written in when this is built. */
declare const __COFFER_ROOT_KEY__: string;

type Start = Extract<ToMicroservice, { type: "start" }>;

type Answer = Extract<ToMicroservice, { id: number }>;

const waiting = new Map<number, (answer: Answer) => void>();
let questions = 0;
let port: MessagePort | undefined;

process.on("disconnect", () => process.exit(0));
process.on("message", (message: ToMicroservice) => {
  // First start wins.
  if (message.type === "start") port ??= start(message);
  if (message.type === "port") port?.postMessage(message.message);
  if (!("id" in message)) return;
  waiting.get(message.id)?.(message);
  waiting.delete(message.id);
});

function say(message: FromMicroservice): void {
  process.send?.(message);
}

/** Asks who launched it: a platform measures what it starts and vouches for it, anyone else has nothing to say. */
function ask(question: (id: number) => FromMicroservice): Promise<Answer> {
  const id = ++questions;
  return new Promise((resolve) => {
    waiting.set(id, resolve);
    say(question(id));
  });
}

const attester: Attester = {
  async environment() {
    const answer = await ask((id) => ({ type: "environment", id }));
    return answer.type === "environment" ? answer.environment : "software";
  },
  async attest(asked) {
    const answer = await ask((id) => ({ type: "attest", id, asked }));
    if (answer.type !== "evidence" || answer.evidence === null) throw new CofferError("enrolment-refused");
    const { type, evidence } = answer.evidence;
    return { attribute: attestationAttribute({ type, evidence: new Uint8Array(evidence) }) };
  },
  async attestKey(spki) {
    const answer = await ask((id) => ({ type: "attest-key", id, spki }));
    if (answer.type !== "attested-key" || answer.document === null) return undefined;
    return new Uint8Array(answer.document);
  },
};

function start({ vault, origin, custodian, measurement, cookie }: Start): MessagePort {
  // Unlike a browser's, this fetch sends the headers that it is given.
  const send: typeof fetch = (input, init) => {
    const own = { origin: vault, ...(cookie !== undefined && { cookie }) };
    return fetch(input, { ...init, headers: { ...(init?.headers as Record<string, string>), ...own } });
  };
  const rootKey = decodeBase64url(__COFFER_ROOT_KEY__);
  const { port: served } = startMicroservice({
    ...{ vault, origin, fetch: send, rootKey, measurement, attester, mutual: true },
    ...(cookie === undefined && { custodian }),
  });
  served.onmessage = ({ data }) => say({ type: "port", message: data });
  return served;
}
