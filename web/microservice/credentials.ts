/** What an instance shows at the registration authority, one function a method. The other end is edge/ra/methods. */
import type { Enrol, MethodName } from "#protocol/enrolment.ts";
import type { Subtle } from "./crypto.ts";
import type { InstanceKeys } from "./keys.ts";

/** What a credential can be bound to: the nonce of the enrolment session, and the keys that are to be certified. */
export type BoundTo = { subtle: Subtle; nonce: Uint8Array<ArrayBuffer>; keys: InstanceKeys };

type Handed = { [M in MethodName]: Extract<Enrol, { method: M }> };
const CREDENTIALS: { [M in MethodName]: (handed: Handed[M], to: BoundTo) => Promise<string> } = {
  grant: async ({ grant }) => grant,
  "secret-zero": async ({ secretZero }) => secretZero,
};

export function credentialOf<M extends MethodName>(handed: Handed[M], to: BoundTo): Promise<string> {
  return CREDENTIALS[handed.method as M](handed, to);
}
