/**
 * Loading of keys that the KMS retains (M11): the instance asks for itself, by a proof of its identity key. No grant: policy decides
 * which of the account's keys, or of the tenant's own, it may have, and for what.
 */

import { decodeBase64url } from "#protocol/base64url.ts";
import { CLOCK_TOLERANCE, seconds } from "#protocol/clock.ts";
import { digest } from "#protocol/digest.ts";
import { jwsParts } from "#protocol/jws.ts";
import {
  type AccountEdk,
  MAX_GRANTED,
  RETAINED_SECONDS,
  type RetainedKeys,
  type RetainedRequest,
  retainedInput,
} from "#protocol/keys/index.ts";
import type { Level } from "#protocol/level.ts";
import { parseCertificate } from "#protocol/pki/index.ts";
import type { KeyPolicy } from "#protocol/policy/index.ts";
import { authorize } from "../../authorize.ts";
import type { InstanceCaller } from "../../caller.ts";
import type { Enrolled } from "../../enrolled.ts";
import type { Person } from "../../person.ts";
import { type Decision, ok, type Result, refuse } from "../../result.ts";
import { hashSecret } from "../../secret.ts";
import { nameOf, type Version, versionNamed } from "../account-data-keys.ts";
import { type Context, type Door, failed, noMember } from "../context.ts";
import { countReleases } from "../key-management.ts";
import { findDataKeys } from "../registry.ts";
import {
  type Retained,
  retainedAfter,
  retainedNamed,
  useRequest,
  wrappedRetained,
} from "../retained-keys.ts";
import { checkLives } from "../shred.ts";
import { type Asked, askStanding, authorizeInstance } from "../standing.ts";
import { decideRelease } from "./release.ts";
import { askUnders, type Item, loadSeveral, severalOf } from "./several.ts";

const LEVELS: readonly Level[] = ["data", "account", "master"];
const ECDSA = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Whether who asks holds the identity key of that instance, now. Before anything is looked up or written. */
export async function checkAsker(
  request: RetainedRequest,
  { identityCertificate, custodian }: Enrolled,
  now: number,
): Promise<Decision<null>> {
  const der = decodeBase64url(request.identityCertificate);
  if (identityCertificate !== (await digest(der)) || custodian !== request.custodian)
    return refuse("not-recipient", "asked for by another instance");
  const held = await verify(der, request).catch(() => false);
  if (!held) return refuse("not-recipient", "no proof of the instance's identity key");
  const age = now - request.iat;
  const lives = age <= RETAINED_SECONDS + CLOCK_TOLERANCE && age >= -CLOCK_TOLERANCE;
  return lives ? ok(null) : refuse("invalid-grant", "request is too old, or of a time to come");
}

async function verify(der: Uint8Array<ArrayBuffer>, { proof, ...said }: RetainedRequest): Promise<boolean> {
  const { spki } = parseCertificate(der);
  const key = await crypto.subtle.importKey("spki", spki, ECDSA, false, ["verify"]);
  return crypto.subtle.verify(ECDSA, key, decodeBase64url(proof), await retainedInput(said));
}

type Chosen = { enrolled: Enrolled; items: (Item & { row: Retained; policy: KeyPolicy })[]; next?: Version };

/** `caller`: the instance that has proven itself, as the registration authority has it. Errors: `not-found`, those of a release. */
export async function loadRetained(
  door: Door,
  caller: InstanceCaller,
  request: RetainedRequest,
): Promise<Result<RetainedKeys>> {
  const { neighbours } = door;
  const { account } = request;
  const asked = aboutRequest(caller, request);
  const standing = await askStanding(neighbours, caller, account);
  if (!standing.signedIn.ok) return door.refuse(asked, noMember(standing.signedIn.problem));
  const kms = await door.enter();
  const use = await usedOnce(caller, request);
  const choosing = (sql: SqlStorage, enrolled: Enrolled, person: Person) =>
    choose(sql, kms, { caller, request, enrolled, person });
  const decision = authorizeInstance(kms.store, asked, standing, LEVELS, (sql, enrolled, person) => {
    const used = use(sql);
    return used.ok ? choosing(sql, enrolled, person) : used;
  });
  if (!decision.ok) return decision;
  const { enrolled, items, next } = decision.value;
  // Of a page that policy denies as a whole there may be others behind.
  const more = next && { next: nameOf(next) };
  if (items.length === 0) return ok({ keys: [], ...more });
  const several = await severalOf(caller, items, enrolled.wrappingCertificate);
  const unders = await askUnders(neighbours, several);
  if (!unders.ok)
    return authorize<never>(kms.store, { action: asked.action, ...several.about }, () =>
      refuse(unders.problem.code, "no key to unwrap with"),
    );
  try {
    const wrapped = await wrappedRetained(
      kms,
      items.map(({ row }) => row),
    );
    const released = { recipient: enrolled, policies: items.map(({ policy }) => policy) };
    const loads = await loadSeveral(kms, several, released, unders.value, ({ keyId, keyVersion }) =>
      wrapped.get(nameOf({ id: keyId, version: keyVersion })),
    );
    // While the HSM worked any of what was asked may have changed.
    const again = await askStanding(neighbours, caller, account);
    const releasing = { ...asked, action: "kms:release", resource: several.about.resource };
    const still = authorizeInstance(kms.store, releasing, again, LEVELS, (sql, now, person) => {
      const chosen = choosing(sql, now, person);
      if (!chosen.ok) return chosen;
      const names = new Set(chosen.value.items.map(({ row }) => nameOf(row)));
      if (!items.every(({ row }) => names.has(nameOf(row)))) return refuse("forbidden", "a key was ended");
      countReleases(
        sql,
        items.map(({ row }) => row),
        seconds(Date.now()),
      );
      return ok(null);
    });
    if (!still.ok) return still;
    return ok({ keys: loads.map(({ way: _, ...key }) => key), ...more });
  } catch (error) {
    return failed(kms, "kms:rewrap-at-hsm", several.about, error);
  }
}

/**
 * Of an owner who has had no key made. Anyone can name one: that it was asked for is kept with who asks, through the door of whose object
 * this is. Errors: `not-found` where keys are named.
 */
export async function loadNoneRetained(
  { neighbours, refuse: refuseAtDoor, enter }: Door,
  caller: InstanceCaller,
  request: RetainedRequest,
): Promise<Result<RetainedKeys>> {
  const asked = aboutRequest(caller, request);
  const standing = await askStanding(neighbours, caller);
  if (!standing.signedIn.ok) return refuseAtDoor(asked, noMember(standing.signedIn.problem));
  const { store } = await enter();
  const use = await usedOnce(caller, request);
  return authorizeInstance<RetainedKeys>(store, asked, standing, LEVELS, (sql) => {
    const used = use(sql);
    if (!used.ok) return used;
    return request.keys === undefined ? ok({ keys: [] }) : refuse("not-found", "the owner has no such key");
  });
}

function aboutRequest(caller: InstanceCaller, { account, owner, keys }: RetainedRequest): Asked {
  const whose = account === undefined ? `owner/${owner}` : `account/${account}`;
  const resource = `${whose}/${keys?.length === 1 ? keys[0] : `retained/${keys?.length ?? "all"}`}`;
  return { action: "kms:load-retained", caller, resource, requestId: caller.requestId };
}

/** Uses the request up, inside `authorize()`. */
async function usedOnce(
  { user }: InstanceCaller,
  { instance, jti, iat }: RetainedRequest,
): Promise<(sql: SqlStorage) => Decision<null>> {
  const hash = await hashSecret(`${instance} ${jti}`);
  const expires = iat + RETAINED_SECONDS + 2 * CLOCK_TOLERANCE;
  return (sql) => useRequest(sql, { user, hash, expires }, seconds(Date.now()));
}

type Choosing = {
  caller: InstanceCaller;
  request: RetainedRequest;
  enrolled: Enrolled;
  person: Person;
};

/** What was named, all of it or nothing; or of a page of all that there are, what the instance may have. Inside `authorize()`. */
function choose(
  sql: SqlStorage,
  kms: Context,
  { caller, request, enrolled, person }: Choosing,
): Decision<Chosen> {
  const { account, keys, after } = request;
  // What is the tenant's own is shredded with no account.
  const lives = account === undefined ? ok(null) : checkLives(sql);
  if (!lives.ok) return lives;
  const from = after === undefined ? { id: "", version: 0 } : versionNamed(after);
  const found =
    keys === undefined
      ? ok(retainedAfter(sql, caller.client, from, MAX_GRANTED))
      : retainedNamed(sql, caller.client, [...new Set(keys)].map(versionNamed));
  if (!found.ok) return found;
  const rows = found.value.slice(0, MAX_GRANTED);
  const items: Chosen["items"] = [];
  const records = findDataKeys(sql, rows);
  for (const [nth, row] of rows.entries()) {
    const edk = JSON.parse(new TextDecoder().decode(jwsParts(row.edk).payload)) as AccountEdk;
    const decision = decideRelease(caller, {
      ...{ edk, recipient: enrolled, record: records[nth] ?? null },
      ...{ policies: kms.policies(), person, now: seconds(Date.now()) },
    });
    if (decision.ok) items.push({ edk, token: row.edk, row, policy: decision.value });
    else if (keys !== undefined) return decision;
  }
  const last = rows.at(-1);
  return ok({ enrolled, items, ...(found.value.length > rows.length && last && { next: last }) });
}
