/** A KMIP server as back end: account keys come in wrapped, in one batch with what they wrap; where it takes none, data keys live there. */

import { type BackEndSettings, residentDataKeyName } from "#protocol/hierarchy/index.ts";
import { isHeld } from "#protocol/keys/index.ts";
import { BackEndRefused, type Hsm } from "../../hsm/index.ts";
import { type Ledger, makeResident, residentId, residentKeys, runBatch } from "../../hsm/keys/index.ts";
import type { Version } from "../account-data-keys.ts";
import { makeDataKeys, wrappingUnder } from "../data-keys.ts";
import { rewrapDataKey, rewrapDataKeys } from "../loading/rewrap-batch.ts";
import { requireWorkingMasterKey } from "../master-key.ts";
import type { DataKeyBackEnd, DataKeyToRelease } from "./back-end.ts";

type AtHsm = { hsm: Hsm; ledger: Ledger; tenant: string };

/** `without`: what the tenant goes without now, whatever it went without when a key was made. */
export function kmipBackEnd({ without, ...at }: AtHsm & Pick<BackEndSettings, "without">): DataKeyBackEnd {
  const { hsm, ledger } = at;
  return {
    inHsm: true,
    standing: hsm.standing,
    holdsKeys: async () => !(await hsm.standing()).keeps.includes("account-keys"),
    async makeDataKeys({ accountKey, keys, held }) {
      if (held) return makeResidentKeys(at, keys);
      const wrapping = wrappingUnder(accountKey);
      const made = await makeDataKeys(hsm.together, ledger, accountKey, keys.length, Date.now());
      return made.map((wrappedKey) => ({ wrapping, wrappedKey }));
    },
    async release(keys, to) {
      if (keys.some(({ edk }) => edk.wrapping === "aws-kms"))
        throw new BackEndRefused("the key is under one at AWS KMS, which the tenant does not name any more");
      // It is under no key of its account, however much the HSM keeps of others.
      if (!without.includes("account-keys") && keys.some(({ edk }) => edk.wrapping === "resident"))
        throw new BackEndRefused("the key lives in the HSM, and the tenant does not go without account-keys");
      const [first, ...others] = keys.map(wrappedOrResident);
      if (first === undefined) return [];
      const now = Date.now();
      if (others.length > 0) return rewrapDataKeys(hsm.apart, ledger, { keys: [first, ...others], to }, now);
      return [await rewrapDataKey(hsm.together, ledger, { ...first, to }, now)];
    },
  };
}

/** By names that they keep: `resident-keys.ts` finds them, and what is left of a batch that failed. */
async function makeResidentKeys({ hsm, ledger, tenant }: AtHsm, keys: readonly Version[]) {
  const master = await requireWorkingMasterKey(hsm, tenant);
  const answers = await runBatch(hsm, ledger, () =>
    keys.map(({ id, version }) => makeResident(master, residentDataKeyName(id, version))),
  );
  return residentKeys(answers).map((wrappedKey) => ({ wrapping: "resident" as const, wrappedKey }));
}

function wrappedOrResident({ edk, under, wrappedDataKey }: DataKeyToRelease) {
  if (!isHeld(edk.wrapping)) return { under, wrappedDataKey };
  const name = residentDataKeyName(edk.keyId, edk.keyVersion);
  return { under, wrappedDataKey, resident: { id: residentId(wrappedDataKey), name } };
}
