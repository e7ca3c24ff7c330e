import { masterKeyName, named, POLICY, policyAttribute, VENDOR, WORKING } from "#protocol/hierarchy/index.ts";
import { KmipError } from "#protocol/kmip/index.ts";
import { fromHsm, type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import type { Master } from "../hsm/keys/index.ts";
import { ok, type Result } from "../result.ts";

/** How long the HSM's word is good: what is denied for a whole tenant, or rotated, is known within ten seconds. Milliseconds. */
const KEPT_MS = 10_000;
/** Destroyed keys of a tenant that are looked at: the officer makes no second one under the name. */
const MAX_DESTROYED = 16;

/**
 * A tenant's master key, by its unique identifier. `recovery`: where the officer has destroyed it on purpose (docs/decisions/0037), so that
 * its instances alone have it: thumbprint of the recovery recipient's key. Null where it works at the HSM.
 */
export type MasterKey = { key: string; recovery: string | null };

type AtHsm = Pick<Hsm, "request">;

/** The tenant's master key, and until when it is known, in this isolate. There are no more tenants than a deployment's table names. */
const kept = new Map<string, MasterKey & { until: number }>();

/** Whether the tenant has a master key (M5). One that was revoked is none ten seconds later; a no is asked again each time. */
export async function hasMasterKey(hsm: AtHsm, tenant: string): Promise<Result<boolean>> {
  return fromHsm("master-key", async () => ok((await currentMasterKey(hsm, tenant)) !== null));
}

/** The tenant's master key that works at the HSM or at its instances, null where there is none. Throws what the HSM throws. */
export async function currentMasterKey(hsm: AtHsm, tenant: string): Promise<MasterKey | null> {
  const now = Date.now();
  const known = kept.get(tenant);
  if (known !== undefined && now < known.until) return { key: known.key, recovery: known.recovery };
  return locateMasterKey(hsm, tenant);
}

/** The same, asked of the HSM now. */
export async function locateMasterKey(hsm: AtHsm, tenant: string): Promise<MasterKey | null> {
  const name = named(masterKeyName(tenant));
  const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name, state: WORKING } });
  const [key, ...others] = uniqueIdentifier;
  if (others.length > 0) return null;
  const found = key === undefined ? await locateDestroyed(hsm, tenant) : { key, recovery: null };
  if (found !== null) kept.set(tenant, { ...found, until: Date.now() + KEPT_MS });
  return found;
}

/** The same, where the deployment has to have one; `now`: asked of the HSM now. Throws `UnexpectedAnswer` where it has none. */
export async function requireMasterKey(hsm: AtHsm, tenant: string, now = false): Promise<MasterKey> {
  const master = await (now ? locateMasterKey : currentMasterKey)(hsm, tenant);
  if (master === null) throw new UnexpectedAnswer("the tenant has no master key");
  return master;
}

/** Which master keys are pairs, by their identifiers: what one is it stays. */
const kinds = new Map<string, boolean>();
const MAX_KINDS = 1000;

/** A master key, and whether it is an RSA pair (W1). Throws what the HSM throws. */
export async function masterNamed(hsm: Pick<Hsm, "request">, id: string): Promise<Master> {
  const known = kinds.get(id);
  if (known !== undefined) return { id, isPair: known };
  const { attributes } = await hsm.request("GetAttributes", {
    uniqueIdentifier: id,
    attributeReference: ["objectType"],
  });
  const isPair = attributes.objectType === "PrivateKey";
  if (!isPair && attributes.objectType !== "SymmetricKey")
    throw new UnexpectedAnswer("the master key is no key");
  if (kinds.size >= MAX_KINDS) kinds.clear();
  kinds.set(id, isPair);
  return { id, isPair };
}

/** KMIP 2.1 §4.31 Link: the key that this one has replaced. Throws what the HSM throws. */
export async function replacedBy(hsm: AtHsm, uniqueIdentifier: string): Promise<string | null> {
  const { attributes } = await hsm.request("GetAttributes", {
    uniqueIdentifier,
    attributeReference: ["link"],
  });
  const link = attributes.link?.find(({ linkType }) => linkType === "ReplacedObjectLink");
  const replaced = link?.linkedObjectIdentifier;
  return typeof replaced === "string" ? replaced : null;
}

/** Versions of master keys, by their identifiers: what one has replaced it has replaced for good. */
const versions = new Map<string, number>();
/** Rotations of one tenant that are counted. */
const MAX_VERSION = 1000;

/**
 * How many master keys the tenant has had, this one included (W12): 1 for the first. One that the HSM does not know any more is where
 * counting ends. Throws what the HSM throws.
 */
export async function masterVersion(hsm: AtHsm, id: string): Promise<number> {
  const known = versions.get(id);
  if (known !== undefined) return known;
  let version = 1;
  for (let key = id; version < MAX_VERSION; version++) {
    const earlier = await replacedBy(hsm, key).catch((error: unknown) => {
      if (error instanceof KmipError && error.code === "ObjectNotFound") return null;
      throw error;
    });
    if (earlier === null) break;
    key = earlier;
  }
  if (versions.size >= MAX_KINDS) versions.clear();
  versions.set(id, version);
  return version;
}

/** What the HSM alone could do, as long as it has the master key. Throws `StrictTenant` where it has not. */
export async function requireWorkingMasterKey(hsm: AtHsm, tenant: string): Promise<string> {
  const { key, recovery } = await requireMasterKey(hsm, tenant);
  if (recovery !== null) throw new StrictTenant("strict-tenant");
  return key;
}

/** Whether the HSM says now that it keeps no master key of the tenant, and instances have it. False where it cannot be asked. */
export async function isStrict(hsm: AtHsm, tenant: string): Promise<boolean> {
  return locateMasterKey(hsm, tenant).then(
    (master) => master !== null && master.recovery !== null,
    () => false,
  );
}

/**
 * Whether the HSM says now of a master key, living or not, that the officer has not given it a recovery recipient: what is kept of it can be
 * made again, or is for nothing any more. False where the HSM knows no such key. Throws what the HSM throws.
 */
export async function isUnrecovered(hsm: AtHsm, key: string): Promise<boolean> {
  const attributeReference = [{ vendorIdentification: VENDOR, attributeName: POLICY.recovery }];
  try {
    const { attributes } = await hsm.request("GetAttributes", { uniqueIdentifier: key, attributeReference });
    return policyAttribute(attributes, POLICY.recovery) === undefined;
  } catch (error) {
    if (error instanceof KmipError && error.code === "ObjectNotFound") return false;
    throw error;
  }
}

/** The strict variant asks for an instance (`strict-tenant`), or for the ceremony (`recovery-needed`). */
export class StrictTenant extends Error {
  readonly code: "strict-tenant" | "recovery-needed";

  constructor(code: StrictTenant["code"]) {
    super(code);
    this.code = code;
  }
}

/**
 * A master key that the officer destroyed on purpose. That it is destroyed says nothing: it is the officer's word in its attributes
 * that counts, and one that was revoked as compromised since counts no more.
 */
async function locateDestroyed(hsm: AtHsm, tenant: string): Promise<MasterKey | null> {
  const { uniqueIdentifier } = await hsm.request("Locate", {
    attributes: { name: named(masterKeyName(tenant)) },
    storageStatusMask: ["DestroyedStorage"],
    maximumItems: MAX_DESTROYED,
  });
  const found: MasterKey[] = [];
  for (const key of uniqueIdentifier) {
    const { attributes } = await hsm.request("GetAttributes", {
      uniqueIdentifier: key,
      attributeReference: ["state", { vendorIdentification: VENDOR, attributeName: POLICY.recovery }],
    });
    const recovery = policyAttribute(attributes, POLICY.recovery);
    if (attributes.state === "Destroyed" && recovery !== undefined) found.push({ key, recovery });
  }
  const [one, ...others] = found;
  return one === undefined || others.length > 0 ? null : one;
}
