/**
 * The arrows of a sequence diagram, out of what was told of an operation. None is made up. What nobody tells is not among them (0088): how
 * far a request came that was refused, what IAM and RA ask of an HSM of their own, the renewal of a sign-in, a look at these views
 * themselves, and of what a vault asks by itself what had no answer, and all but the last 32
 * answers since it was asked.
 */

import type { Held } from "#web/browser/index.ts";
import type { Flow } from "./flow-log.ts";

export const PARTIES = ["page", "vault", "gateway", "iam", "kms", "ra", "caas", "datastore", "hsm"] as const;
export type Party = (typeof PARTIES)[number];

/** By what one reaches the other. `proved`: a page's request has a token, and a proof by its key; a vault's has its cookie, or a signature. */
export type Wire = "port" | "proved" | "rest" | "binding" | "kmip";

/** A data key that came into the vault: how it was wrapped on its way, and how its document keeps it, as their formats name it. */
export type KeyMove = { key: string; wrapping: string; under: string };

export type Arrow = {
  from: Party;
  to: Party;
  wire: Wire;
  what: string;
  ms: number;
  /** A code or a status, where it failed. */
  failed?: string;
  keys: KeyMove[];
};

type Known = Pick<Held, "asked"> & { held: Held["keys"] };
type Timed = { at: number; arrows: Arrow[] };

/** In the order in which they began; what was done for one stands right after it. */
export function arrowsOf({ messages }: Pick<Flow, "messages">, { asked, held }: Known): Arrow[] {
  const keysNow = new Map<string, Held["keys"][number]>();
  for (const one of held) if (one.what === "data key" && !keysNow.has(one.key)) keysNow.set(one.key, one);
  const told: Timed[] = messages.map((message) => {
    const { at, ms } = message;
    if (message.step === "vault") {
      const { what, code, loaded = [] } = message;
      const keys = loaded.map(({ keyId, keyVersion }) => moveOf(`${keyId}.${keyVersion}`, keysNow));
      return { at, arrows: [{ ...between("page", "vault"), what, ms, keys, ...(code && { failed: code }) }] };
    }
    return { at, arrows: requested("page", message) };
  });
  const own: Timed[] = asked.map((one) => ({ at: one.at, arrows: requested("vault", answered(one)) }));
  return [...told, ...own].sort((one, other) => one.at - other.at).flatMap(({ arrows }) => arrows);
}

/** Those who take part, in the order in which they stand beside each other. */
export function partiesOf(arrows: readonly Arrow[]): Party[] {
  const part = new Set(arrows.flatMap(({ from, to }) => [from, to]));
  return PARTIES.filter((party) => part.has(party));
}

/** A metric of `Server-Timing` as the edge writes it: `kms-hsm;dur=12;desc="Import*2 Get"`. What is of another form is not the edge's. */
const METRIC = /(?:^|, )([a-z]+)-([a-z]+);dur=(\d{1,7});desc="([\w* ]{0,512})"/g;

function requested(
  from: "page" | "vault",
  { what, ms, timing, status }: { what: string; ms: number; timing: string; status: number },
): Arrow[] {
  const failed = status === 0 ? "offline" : status >= 400 ? String(status) : undefined;
  const request = { ...between(from, "gateway"), what: withoutIds(what), ms, keys: [] };
  const steps = [...timing.matchAll(METRIC)].flatMap(([, by, to, duration, operations = ""]) =>
    isParty(by) && isParty(to)
      ? [{ ...between(by, to), what: operations, ms: Number(duration), keys: [] }]
      : [],
  );
  return [{ ...request, ...(failed && { failed }) }, ...steps];
}

/** A vault says in one what it asked for and with what status that was answered. */
function answered({ what, ms, timing }: Known["asked"][number]) {
  const [, request = what, status = "200"] = /^(.+) (\d{3})$/.exec(what) ?? [];
  return { what: request, ms, timing, status: Number(status) };
}

function between(from: Party, to: Party): Pick<Arrow, "from" | "to" | "wire"> {
  if (to === "gateway") return { from, to, wire: from === "page" ? "proved" : "rest" };
  return { from, to, wire: to === "hsm" ? "kmip" : to === "vault" ? "port" : "binding" };
}

function isParty(name: string | undefined): name is Party {
  return (PARTIES as readonly (string | undefined)[]).includes(name);
}

function moveOf(key: string, held: ReadonlyMap<string, Held["keys"][number]>): KeyMove {
  const found = held.get(key);
  return { key, wrapping: found?.wrapping ?? "", under: found?.under ?? "" };
}

/** Ids in a path say nothing to a reader, and make it long. */
function withoutIds(what: string): string {
  return what.replaceAll(/\/(?=[^/]*[\dA-Z])[^/]{12,}/g, "/…");
}
