import { type Edk, JwsError } from "#protocol/keys/index.ts";
import { failureOf } from "../hsm/index.ts";
import { type Decision, ok, refuse } from "../result.ts";
import type { Trust } from "./trust.ts";

/** What an EDK (compact JWS) says, if it is one of ours. */
export async function readEdk(trust: Pick<Trust, "verifyEdk">, token: string): Promise<Decision<Edk>> {
  try {
    return ok(await trust.verifyEdk(token));
  } catch (error) {
    if (error instanceof JwsError) return refuse("invalid-edk", `${error.code}: ${error.message}`);
    const { code, reason } = failureOf(error);
    return refuse(code, reason);
  }
}
