import { masterKeyName, named, WORKING } from "#protocol/hierarchy/index.ts";
import { fromHsm, type Hsm, UnexpectedAnswer } from "../hsm/index.ts";
import type { Master } from "../hsm/keys/index.ts";
import { ok, type Result } from "../result.ts";

/** How long the HSM's word is good: what is denied for a whole tenant, or rotated, is known within ten seconds. Milliseconds. */
const KEPT_MS = 10_000;

/** The tenant's master key, and until when it is known, in this isolate. There are no more tenants than a deployment's table names. */
const kept = new Map<string, { key: string; until: number }>();

/** Whether the tenant has a master key at the HSM (M5). One that was revoked is none ten seconds later; a no is asked again each time. */
export async function hasMasterKey(hsm: Pick<Hsm, "request">, tenant: string): Promise<Result<boolean>> {
  return fromHsm("master-key", async () => ok((await currentMasterKey(hsm, tenant)) !== null));
}

/** Unique identifier of the tenant's master key that works, null where there is none. Throws what the HSM throws. */
export async function currentMasterKey(hsm: Pick<Hsm, "request">, tenant: string): Promise<string | null> {
  const now = Date.now();
  const known = kept.get(tenant);
  if (known !== undefined && now < known.until) return known.key;
  return locateMasterKey(hsm, tenant);
}

/** The same, asked of the HSM now. */
export async function locateMasterKey(hsm: Pick<Hsm, "request">, tenant: string): Promise<string | null> {
  const name = named(masterKeyName(tenant));
  const { uniqueIdentifier } = await hsm.request("Locate", { attributes: { name, state: WORKING } });
  const [key, ...others] = uniqueIdentifier;
  if (key === undefined || others.length > 0) return null;
  kept.set(tenant, { key, until: Date.now() + KEPT_MS });
  return key;
}

/** The same, where the deployment has to have one. Throws `UnexpectedAnswer` where it has none. */
export async function requireMasterKey(hsm: Pick<Hsm, "request">, tenant: string): Promise<string> {
  const master = await currentMasterKey(hsm, tenant);
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
