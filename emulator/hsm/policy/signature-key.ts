import { SIGNATURE_KEYS } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { checkOperating } from "./data-operations.ts";
import { saysExactly } from "./under-parent.ts";

/**
 * Key pairs that sign for an account (M17). One is made below an account key, leaves under a `signing` key alone (`master-cek.ts`), and comes back under it to
 * sign inside the HSM where the officer has allowed operations for the tenant. It signs by the one algorithm that it was made for.
 */

type Request = RequestPayload<"Sign">;
type Kind = (typeof SIGNATURE_KEYS)[keyof typeof SIGNATURE_KEYS];

/** The attributes of the pair that is asked for. Anything but the pairs of the table is refused. */
export function signatureKind(asked: Attributes): Kind["key"] {
  return kindOf(asked).key;
}

function kindOf(asked: Attributes): Kind {
  const curve = asked.cryptographicDomainParameters?.recommendedCurve;
  const found = Object.values(SIGNATURE_KEYS).find(
    ({ key }) =>
      key.cryptographicAlgorithm === asked.cryptographicAlgorithm &&
      ("cryptographicDomainParameters" in key
        ? key.cryptographicDomainParameters.recommendedCurve
        : undefined) === curve &&
      (!("cryptographicLength" in key) || key.cryptographicLength === asked.cryptographicLength),
  );
  return found ?? refuse("Not a pair that signs for an account");
}

/** Throws unless the key may sign this: whole messages, as its kind signs, below a master key that allows it now. */
export function checkSignature(key: ManagedObject, request: Request, work: Work, now: Date): void {
  checkOperating(key, "signature", work, now);
  if (!isWhole(request)) refuse("This key signs whole messages");
  if (!saysExactly(request.cryptographicParameters, kindOf(key.attributes).sign))
    refuse("Not how this key signs");
}

/** Whether the message to be signed is there itself, in one piece: no digest of it, and no part of a stream. */
export function isWhole(request: Request): request is Request & { data: Uint8Array } {
  const { data, digestedData, correlationValue, initIndicator, finalIndicator } = request;
  return !!data && !digestedData && !correlationValue && !initIndicator && !finalIndicator;
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
