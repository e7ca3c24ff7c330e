/** Data keys by a grant (M7, M9): the KMS gives it for these keys and this instance, which presents it itself and gets them over a channel from the HSM. */

import { grantKeys } from "#protocol/contract/index.ts";
import { codeOf } from "#protocol/error.ts";
import { callJson } from "./call.ts";
import { findsKeys, STALE } from "./keys.ts";
import type { EnrolledMicroservice, Microservice } from "./microservice.ts";
import type { RestClient } from "./rest.ts";

export type GrantParts = {
  rest: Pick<RestClient, "json">;
  microservice: Pick<Microservice, "use" | "renew">;
};
type Handed = Parameters<EnrolledMicroservice["port"]["load"]>[0];

/** `hand`: what the microservice is handed with the grant. All of the keys are loaded, or none. */
export async function loadGranted(
  { rest, microservice }: GrantParts,
  edks: readonly string[],
  hand: (grant: string) => Handed,
  signal?: AbortSignal,
): Promise<void> {
  let { port, instance } = await microservice.use();
  const load = async () => {
    const request = { edks: [...edks], certificate: instance.wrappingCertificate };
    // A grant of a lost answer is used by nobody.
    const { grant } = await callJson(rest, grantKeys, {}, request, { tries: 3, ...(signal && { signal }) });
    signal?.throwIfAborted();
    await port.load(hand(grant));
  };
  await load().catch(async (error: unknown) => {
    if (!STALE.has(codeOf(error))) throw error;
    ({ port, instance } = await microservice.renew(instance.id));
    await load();
  });
}

/** The keys of these EDKs, all of one account, a hundred at the most. An instance above level `data` finds them itself. */
export async function loadByGrant(
  parts: GrantParts,
  edks: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  if (edks.length === 0 || findsKeys(await parts.microservice.use())) return;
  await loadGranted(parts, edks, (grant) => ({ way: "grant", grant, edks: [...edks] }), signal);
}
