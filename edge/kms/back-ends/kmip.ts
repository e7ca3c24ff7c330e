/** A KMIP server as back end: account keys come in wrapped, in one batch with what they wrap; where it takes none, data keys live there. */

import { isHeld } from "#protocol/keys/index.ts";
import type { Hsm } from "../../hsm/index.ts";
import { type Ledger, makeResident, residentId, residentKeys, runBatch } from "../../hsm/keys/index.ts";
import { makeDataKeys, wrappingUnder } from "../data-keys.ts";
import { rewrapDataKey, rewrapDataKeys } from "../loading/rewrap-batch.ts";
import { requireWorkingMasterKey } from "../master-key.ts";
import type { DataKeyBackEnd, DataKeyToRelease } from "./back-end.ts";

type AtHsm = { hsm: Hsm; ledger: Ledger; tenant: string };

export function kmipBackEnd({ hsm, ledger, tenant }: AtHsm): DataKeyBackEnd {
  return {
    standing: hsm.standing,
    async makeDataKeys({ accountKey, count }) {
      const { keeps } = await hsm.standing();
      if (!keeps.includes("account-keys")) return makeResidentKeys({ hsm, ledger, tenant }, count);
      const wrapping = wrappingUnder(accountKey);
      const keys = await makeDataKeys(hsm, ledger, accountKey, count, Date.now());
      return keys.map((wrappedKey) => ({ wrapping, wrappedKey }));
    },
    async release(keys, to) {
      const [first, ...others] = keys.map(wrappedOrResident);
      if (first === undefined) return [];
      const now = Date.now();
      if (others.length > 0) return rewrapDataKeys(hsm, ledger, { keys: [first, ...others], to }, now);
      return [await rewrapDataKey(hsm, ledger, { ...first, to }, now)];
    },
  };
}

async function makeResidentKeys({ hsm, ledger, tenant }: AtHsm, count: number) {
  const master = await requireWorkingMasterKey(hsm, tenant);
  const answers = await runBatch(hsm, ledger, (name) =>
    Array.from({ length: count }, () => makeResident(master, name())),
  );
  return residentKeys(answers).map((wrappedKey) => ({ wrapping: "resident" as const, wrappedKey }));
}

function wrappedOrResident({ edk, under, wrappedDataKey }: DataKeyToRelease) {
  const resident = isHeld(edk.wrapping) ? { resident: residentId(wrappedDataKey) } : {};
  return { under, wrappedDataKey, ...resident };
}
