/** Several data keys of one account (or of the tenant) for one instance: decided and released as one, or not at all (M8, M7). */

import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import { type Edk, edksDigest, type LoadOf, type Receipt } from "#protocol/keys/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import { inLanes } from "../../in-lanes.ts";
import type { Person } from "../../person.ts";
import type { Recipient } from "../../ra/types.ts";
import { type Decision, fail, ok, type Result, refuse } from "../../result.ts";
import type { Version } from "../account-data-keys.ts";
import type { Attested } from "../back-ends/back-end.ts";
import { type About, type Context, type Neighbours, noMember } from "../context.ts";
import { countReleases } from "../key-management.ts";
import { findDataKeys } from "../registry.ts";
import { signReceipts } from "../signing.ts";
import { receiptFor } from "./receipt.ts";
import { decideRelease } from "./release.ts";
import type { Under } from "./rewrap-batch.ts";
import { askStanding, askUnder, isUnder } from "./wanted.ts";

/** A verified EDK, and as it was sent. */
export type Item = { edk: Edk; token: string };

export type Several = {
  items: readonly Item[];
  /** SHA-256 of the instance's wrapping certificate, base64url. */
  thumbprint: string;
  /** What the request shows of the instance's platform (M19). */
  attested?: Attested | undefined;
  about: About;
};

/** For the audit log: a row names one key, or how many and all of them by a digest. */
export async function severalOf(
  caller: Caller,
  items: readonly Item[],
  thumbprint: string,
): Promise<Several> {
  const [first] = items;
  const resource =
    first !== undefined && items.length === 1
      ? `key/${first.edk.keyId}.${first.edk.keyVersion}`
      : `keys/${items.length}/${await edksDigest(items.map(({ token }) => token))}`;
  return { items, thumbprint, about: { caller, resource, requestId: caller.requestId } };
}

/** What the neighbours say as things stand now, asked at the same time. */
export type Standing = { member: Result<{ by: Person }>; found: Result<Recipient> };

export async function askForSeveral(
  neighbours: Neighbours,
  { items, thumbprint, about: { caller } }: Several,
): Promise<Standing> {
  const { tenant, user } = caller;
  const [first] = items;
  if (!first) return { member: fail("bad-request"), found: fail("bad-request") };
  const [member, found] = await Promise.all([
    askStanding(neighbours)(first.edk, caller),
    neighbours.RA.recipient({ tenant, user, thumbprint }),
  ]);
  return { member, found };
}

export type Released = { recipient: Recipient; policies: readonly KeyPolicy[] };
type RecipientOf = Pick<Recipient, "hsmKey" | "hybridKey" | "notAfter">;

/** All of them may be released to that instance, or none. Inside `authorize()`. */
export function decideSeveral(
  sql: SqlStorage,
  { policies }: Pick<Context, "policies">,
  { items, about }: Several,
  { member, found }: Standing,
): Decision<Released> {
  if (!member.ok) return noMember(member.problem);
  const recipient = found.ok ? found.value : null;
  const now = seconds(Date.now());
  const allowed: KeyPolicy[] = [];
  const records = findDataKeys(sql, versionsOf(items));
  for (const [nth, { edk }] of items.entries()) {
    // Whether a share stands is asked of each by itself, with the account whose document it is (`wanted.ts`).
    if (edk.record) return refuse("key-unusable", "what is shared is loaded by itself, and by no grant");
    const record = records[nth] ?? null;
    const decision = decideRelease(about.caller, {
      ...{ edk, recipient, record, policies: policies(), now },
      person: member.value.by,
    });
    if (!decision.ok) return decision;
    allowed.push(decision.value);
  }
  return recipient ? ok({ recipient, policies: allowed }) : refuse("not-recipient", "no recipient");
}

function versionsOf(items: readonly Item[]): Version[] {
  return items.map(({ edk }) => ({ id: edk.keyId, version: edk.keyVersion }));
}

export function authorizeSeveral(
  kms: Context,
  action: string,
  several: Several,
  standing: Standing,
): Result<Released> {
  const { found } = standing;
  if (!found.ok && found.problem.code !== "not-recipient") return found;
  return authorize(kms.store, { action, ...several.about }, (sql) => {
    const decision = decideSeveral(sql, kms, several, standing);
    // Decided before the HSM works and after; the second time they go out.
    if (decision.ok && action === "kms:release")
      countReleases(sql, versionsOf(several.items), seconds(Date.now()));
    return decision;
  });
}

/** The keys that theirs are encrypted under, each once. Errors: `conflict` where an EDK is under another one. */
export async function askUnders(
  neighbours: Neighbours,
  { items, about: { caller } }: Several,
): Promise<Result<Map<Edk, Under>>> {
  const asked = new Map<string, Promise<Result<Under>>>();
  const unders = new Map<Edk, Under>();
  for (const { edk } of items) {
    const name = edk.accountKey?.id ?? "";
    const asking = asked.get(name) ?? askUnder(neighbours)(edk, caller);
    asked.set(name, asking);
    const under = await asking;
    if (!under.ok) return under;
    // Each of the tenant's own says itself which master key it is under.
    unders.set(edk, edk.masterKey === undefined ? under.value : { master: edk.masterKey });
    if (!isUnder(edk, unders.get(edk) ?? under.value)) return fail("conflict");
  }
  return ok(unders);
}

/** Rewraps all. `sign` has their receipts signed in one batch; `channel`: what the receipts say of a channel. */
export async function rewrapSeveral(
  kms: Context,
  { items, thumbprint, attested }: Several,
  { recipient, policies }: Pick<Released, "policies"> & { recipient: RecipientOf },
  unders: Map<Edk, Under>,
  wrappedOf: (edk: Edk) => Uint8Array<ArrayBuffer> | undefined = (edk) => decodeBase64url(edk.wrappedKey),
): Promise<{ wrapped: Uint8Array<ArrayBuffer>[]; sign(channel?: string): Promise<LoadOf<"rewrap">[]> }> {
  const keys = items.map(({ edk }) => {
    const under = unders.get(edk);
    const wrappedDataKey = wrappedOf(edk);
    if (under === undefined || wrappedDataKey === undefined)
      throw new Error("nobody said what a key is under");
    return { edk, under, wrappedDataKey };
  });
  const wrapped = await kms.backEnd.release(keys, { ...recipient, attested });
  const { notAfter } = recipient;
  const several = { items, thumbprint, notAfter, policies, wrapped };
  return { wrapped, sign: (channel) => signSeveral(kms, several, { channel }) };
}

/** Keys of one part, and parts under way at a time. */
const PART = 25;
const PARTS = 3;

/**
 * The same, signed at once, in parts where they are many: while the HSM works at one, what it has answered of another is read here, and its receipts are
 * signed. Where a part fails, those that are under way are waited for.
 */
export async function loadSeveral(
  kms: Context,
  several: Several,
  { recipient, policies }: Pick<Released, "policies"> & { recipient: RecipientOf },
  ...how: [Map<Edk, Under>, ((edk: Edk) => Uint8Array<ArrayBuffer> | undefined)?]
): Promise<LoadOf<"rewrap">[]> {
  const { items } = several;
  // What is not the HSM bounds by itself how much it is asked for at a time.
  const size = kms.backEnd.inHsm ? PART : Math.max(items.length, 1);
  const starts = Array.from({ length: Math.ceil(items.length / size) }, (_, n) => n * size);
  const loads = await inLanes(starts, PARTS, async (at) => {
    const part = { ...several, items: items.slice(at, at + size) };
    const released = { recipient, policies: policies.slice(at, at + size) };
    const { sign } = await rewrapSeveral(kms, part, released, ...how);
    return sign();
  });
  return loads.flat();
}

/** The receipts of what was wrapped, in their order, signed in one batch. */
export async function signSeveral(
  kms: Context,
  { items, thumbprint, notAfter, policies, wrapped }: ToSign,
  { channel, way }: Pick<Receipt, "way"> & { channel?: string | undefined } = {},
): Promise<LoadOf<"rewrap">[]> {
  const { tenant } = kms.store;
  const receipts = await Promise.all(
    items.map(({ edk, token }, n) => {
      const [policy, bytes] = [policies[n], wrapped[n]];
      if (policy === undefined || bytes === undefined) throw new Error("a key was not rewrapped");
      return receiptFor(bytes, { edk, token, thumbprint, tenant, policy, notAfter, channel, way });
    }),
  );
  const signed = await signReceipts(kms.hsm, await kms.trust.list(), receipts);
  return items.map(({ token: edk }, n) => {
    const [bytes, receipt] = [wrapped[n], signed[n]];
    if (bytes === undefined || receipt === undefined) throw new Error("a receipt was not signed");
    return { way: "rewrap", edk, wrappedKey: encodeBase64url(bytes), receipt };
  });
}

type ToSign = Pick<Several, "items" | "thumbprint"> & {
  notAfter: number;
  policies: readonly KeyPolicy[];
  wrapped: readonly Uint8Array<ArrayBuffer>[];
};
