/**
 * Faults of services around an enrolment, and the doors that have them: workers that stand before the verifier and the registration
 * authority on a developer's machine, ask which fault is on, and pass on what is asked otherwise. What they pass on is real.
 */
import type { FaultSaid } from "./faults-said.ts";

export const SERVICE_FAULTS = {
  "verifier-down": {
    says: "The verifier is away: nobody can ask it.",
    refused: "verifier: it cannot be reached",
  },
  "verifier-slow": {
    says: "The verifier answers later than the registration authority waits, which is ten seconds.",
    refused: "verifier: it does not answer",
  },
  "result-wrongly-signed": {
    says: "Another key has signed the verifier's result.",
    refused: "verifier: signature does not verify",
  },
  "result-replayed": {
    says: "The verifier's result is that of an earlier enrolment.",
    refused: "verifier: a result for another nonce",
  },
  "evidence-altered": {
    says: "One character of the evidence is another when the verifier gets it, of a passkey too: its signature holds no more.",
    refused: "evidence, by ",
  },
  "credential-spent": {
    says: "Somebody else has used up the grant or secret zero a moment before.",
    refused: ["grant unknown or already used", "secret zero unknown or already used"],
  },
} as const satisfies Record<string, FaultSaid>;

export type ServiceFaultName = keyof typeof SERVICE_FAULTS;

/** Milliseconds: longer than the registration authority waits. */
const SLOW = 15_000;

/** Which service fault is on; none where the emulator's page does not answer. */
const FAULT_ON = `
async function faultOn({ FAULTS, FAULTS_URL }) {
  const answer = await FAULTS.fetch(FAULTS_URL).catch(() => null);
  const { group, name } = (answer?.ok && (await answer.json())) || {};
  return group === "service" ? name : undefined;
}
`;

/** The worker before the verifier: bindings TO (the verifier), FAULTS and FAULTS_URL. */
export const VERIFIER_DOOR = `import { WorkerEntrypoint } from "cloudflare:workers";
${FAULT_ON}
const text = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
async function signedByAnother(token) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const { privateKey } = await crypto.subtle.generateKey(algorithm, false, ["sign", "verify"]);
  const input = token.slice(0, token.lastIndexOf("."));
  const signature = await crypto.subtle.sign(algorithm, privateKey, new TextEncoder().encode(input));
  return input + "." + text(new Uint8Array(signature));
}
function altered(bytes) {
  const [copy, at] = [bytes.slice(), bytes.length - 10];
  copy[at] = copy[at] === 65 ? 66 : 65;
  return copy;
}
let earlier;
export class Door extends WorkerEntrypoint {
  async accepts(of) {
    if ((await faultOn(this.env)) === "verifier-down") throw new Error("down");
    return this.env.TO.accepts(of);
  }
  async passkey(order) {
    const fault = await faultOn(this.env);
    if (fault === "verifier-down") throw new Error("down");
    if (fault === "verifier-slow") await scheduler.wait(${SLOW});
    return this.env.TO.passkey(order);
  }
  async appraise(order) {
    const { TO } = this.env;
    const fault = await faultOn(this.env);
    if (fault === "verifier-down") throw new Error("down");
    if (fault === "verifier-slow") await scheduler.wait(${SLOW});
    if (fault === "evidence-altered") return TO.appraise({ ...order, evidence: altered(order.evidence) });
    if (fault === "result-replayed") {
      const nonce = crypto.getRandomValues(new Uint8Array(order.nonce.length));
      return earlier ?? TO.appraise({ ...order, nonce });
    }
    const { ok, value } = await TO.appraise(order);
    if (!ok) return { ok, value };
    earlier = { ok, value };
    return fault === "result-wrongly-signed" ? { ok, value: await signedByAnother(value) } : { ok, value };
  }
}
export default {};
`;

/** The worker before the registration authority, with the same bindings. */
export const REGISTRATION_DOOR = `import { WorkerEntrypoint } from "cloudflare:workers";
${FAULT_ON}
export class Door extends WorkerEntrypoint {
  async redeemEnrolment(by, id, request) {
    const { TO } = this.env;
    // Whoever presents a credential uses it up, in whatever session; this is a session that there is not.
    if (request.method !== "attestation" && (await faultOn(this.env)) === "credential-spent")
      await TO.redeemEnrolment({ ...by, requestId: crypto.randomUUID() }, id.slice(0, -4) + (id.endsWith("AAAA") ? "BBBB" : "AAAA"), request);
    return TO.redeemEnrolment(by, id, request);
  }
}
// All else is asked of the registration authority, which says of what it does not have that it has not.
const HANDLERS = ["fetch", "connect", "tail", "tailStream", "trace", "scheduled", "queue", "test", "email"];
const pass = {
  get(target, name, receiver) {
    if (Reflect.has(target, name) || typeof name !== "string" || HANDLERS.includes(name))
      return Reflect.get(target, name, receiver);
    return function (...of) { return this.env.TO[name](...of); };
  },
};
Object.setPrototypeOf(Door.prototype, new Proxy(Object.getPrototypeOf(Door.prototype), pass));
export default {};
`;
