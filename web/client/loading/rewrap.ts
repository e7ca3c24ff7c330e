import { rewrapKey } from "#protocol/contract/index.ts";
import type { Load } from "#protocol/keys/index.ts";
import { callJson } from "../call.ts";
import type { RestClient } from "../rest.ts";

/** Has the HSM rewrap a data key to the holder of this certificate (M8). */
export async function rewrap(
  rest: Pick<RestClient, "json">,
  edk: string,
  certificate: string,
): Promise<Load> {
  // Asking twice gives the same key wrapped twice, so a lost answer may be asked for again.
  const { wrappedKey, receipt } = await callJson(rest, rewrapKey, {}, { edk, certificate }, { tries: 3 });
  return { way: "rewrap", edk, wrappedKey, receipt };
}
