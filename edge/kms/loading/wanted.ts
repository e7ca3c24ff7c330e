/** What a request for a key says once it is verified: which key, and who is to have it. */

import { decodeBase64url } from "#protocol/base64url.ts";
import { seconds } from "#protocol/clock.ts";
import type { ProblemCode } from "#protocol/contract/index.ts";
import { digest } from "#protocol/digest.ts";
import type { Edk } from "#protocol/keys/index.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { Caller } from "../../caller.ts";
import type { Recipient } from "../../ra/types.ts";
import { type Decision, fail, ok, type Refusal, type Result, refuse } from "../../result.ts";
import type { Attested } from "../back-ends/back-end.ts";
import { type About, type Asking, askPerson, type Context, type Neighbours, noMember } from "../context.ts";
import { countReleases } from "../key-management.ts";
import { findDataKey } from "../registry.ts";
import { shareRecord } from "../shares.ts";
import { decideRelease } from "./release.ts";
import type { Under } from "./rewrap-batch.ts";

export type Wanted = {
  edk: Edk;
  /** The EDK as it was sent. */
  token: string;
  /** SHA-256 of the instance's wrapping certificate, base64url. */
  thumbprint: string;
  /** What the request shows of the instance's platform (M19). */
  attested?: Attested | undefined;
  about: About;
};

/** Reads the certificate (base64url DER). */
export async function readWanted(
  caller: Caller,
  edk: Edk,
  { edk: token, certificate, attestation }: { edk: string; certificate: string; attestation?: string },
): Promise<Decision<Wanted>> {
  const resource = `key/${edk.keyId}.${edk.keyVersion}`;
  const about = { caller, resource, requestId: caller.requestId };
  try {
    const der = decodeBase64url(certificate);
    return ok({ edk, token, thumbprint: await digest(der), attested: attestedBy(der, attestation), about });
  } catch {
    return refuse("invalid-certificate", "certificate is not base64url");
  }
}

/** `der`: the certificate that is asked for. Nothing of it is verified here: a digest of it names the recipient. Throws for what is no certificate. */
export function attestedBy(
  der: Uint8Array<ArrayBuffer>,
  attestation: string | undefined,
): Attested | undefined {
  if (attestation === undefined) return undefined;
  return { document: decodeBase64url(attestation), spki: parseCertificate(der).spki };
}

/**
 * What the neighbours say as things stand now, asked at the same time: `member` is the IAM's word, with more or less beside it; `owner` its word
 * on the account that has shared the document, where it is not the caller's.
 */
export type Answers<M> = { member: Result<M>; found: Result<Recipient>; owner?: Result<null> | undefined };

/** Asks the IAM whether the caller may have keys of that EDK's account, or is signed in where it has none. */
export type AskMember<M> = (edk: Edk, caller: Caller) => Promise<Result<M>>;

export function askStanding(neighbours: Pick<Neighbours, "IAM">): AskMember<{ by: Asking }> {
  return async ({ account }, caller) => {
    const standing = await askPerson(neighbours, caller, account);
    return standing.ok ? ok({ by: standing.value }) : standing;
  };
}

/** The same, and the key that the data key is encrypted under: the account's, or the tenant's master key, which the EDK names. */
export function askUnder({ IAM }: Pick<Neighbours, "IAM">): AskMember<Under & { by: Asking }> {
  return async ({ account, accountKey, masterKey }, caller) => {
    if (account !== undefined && accountKey !== undefined)
      return IAM.accountKey({ tenant: caller.tenant, account, caller, id: accountKey.id });
    const signedIn = await IAM.signedIn(caller);
    if (!signedIn.ok) return signedIn;
    // One of a seed (M9) is under none.
    return masterKey === undefined ? fail("invalid-edk") : ok({ master: masterKey, by: signedIn.value });
  };
}

/** Of a shared document, by the IAM's word on the account whose it is. */
function noOwner({ code }: { code: ProblemCode } = { code: "not-found" }): Refusal {
  return refuse(code === "not-found" ? "share-ended" : code, "the owner's account shares nothing");
}

/** Whether that is the key under which the EDK says that it is. */
export function isUnder({ accountKey, masterKey }: Edk, under: Under): boolean {
  if (under.wrapped === undefined) return under.master === masterKey;
  return under.id === accountKey?.id && under.version === accountKey.version;
}

export async function askNeighbours<M>(
  { IAM, RA }: Neighbours,
  { edk, thumbprint, about: { caller } }: Wanted,
  askMember: AskMember<M>,
): Promise<Answers<M>> {
  const { tenant, user } = caller;
  const [member, found, owner] = await Promise.all([
    askMember(edk, caller),
    RA.recipient({ tenant, user, thumbprint }),
    edk.record && IAM.receives({ tenant, account: edk.record.account, caller }),
  ]);
  return { member, found, owner };
}

/** Decides by those answers, and records, whether the key may be released to the holder of that certificate. */
export function authorizeRelease<M extends { by: Asking }>(
  { store, policies }: Pick<Context, "store" | "policies">,
  action: string,
  { edk, about }: Wanted,
  { member, found, owner }: Answers<M>,
): Result<{ policy: KeyPolicy; recipient: Recipient; member: M }> {
  if (!found.ok && found.problem.code !== "not-recipient") return found;
  const recipient = found.ok ? found.value : null;
  return authorize(store, { action, ...about }, (sql) => {
    if (!member.ok) return noMember(member.problem);
    const now = seconds(Date.now());
    const record = edk.record
      ? shareRecord(sql, edk.keyId, now)
      : findDataKey(sql, edk.keyId, edk.keyVersion);
    if (edk.record && !record) return refuse("share-ended", "the document is not shared any more");
    // One whose deletion is scheduled shares nothing until it is kept after all.
    if (edk.record && !owner?.ok) return noOwner(owner?.problem);
    const decision = decideRelease(about.caller, {
      ...{ edk, recipient, record, policies: policies(), now },
      person: member.value.by,
    });
    if (!decision.ok) return decision;
    if (!recipient) return refuse("not-recipient", "no recipient");
    // Decided before the HSM works and after; the second time it goes out.
    if (action === "kms:release" && !edk.record)
      countReleases(sql, [{ id: edk.keyId, version: edk.keyVersion }], now);
    return ok({ policy: decision.value, recipient, member: member.value });
  });
}
