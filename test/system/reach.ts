/** Every operation of the HSM's server, asked for with a live certificate (W9). */

import { type Target, whatever } from "#emulator/hsm/testing/operations.ts";
import { KmipError, type OperationName } from "#protocol/kmip/index.ts";
import type { HsmClient } from "./hsm.ts";

type Tried = { operation: OperationName; payload: object; answer: string };
const hexed = (value: unknown) =>
  JSON.stringify(value, (_, each) =>
    each instanceof Uint8Array
      ? Buffer.from(each).toString("hex")
      : typeof each === "bigint"
        ? String(each)
        : each,
  );

/** Asks for every operation that the server has, about one key: what was not refused. */
export async function tryAll(client: HsmClient, target: Target): Promise<Tried[]> {
  const tried: Tried[] = [];
  for (const [name, payloads] of Object.entries(whatever(target)))
    for (const payload of payloads) {
      const operation = name as OperationName;
      const asked = client.request(operation, payload as never).then(hexed);
      const answer = await asked.catch((error: unknown) => {
        if (!(error instanceof KmipError)) throw error;
        return undefined;
      });
      if (answer !== undefined) tried.push({ operation, payload, answer });
    }
  return tried;
}

/** They may name whatever they like: nothing is looked up. */
const NAMING: readonly string[] = ["Register", "Log", "Notify", "Put"];
export const reaches = (operation: string, answer: string, uid: string, payload: object) =>
  operation === "Locate" ? answer.includes(uid) : !NAMING.includes(operation) && hexed(payload).includes(uid);
