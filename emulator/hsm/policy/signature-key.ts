import { SIGNATURE_KEYS } from "#protocol/hierarchy/index.ts";
import { type Attributes, KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import type { ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import { checkOperating } from "./data-operations.ts";

/**
 * Key pairs that sign for an account (M17). One is made below an account key, leaves under a `signing` key alone (`master-cek.ts`), and comes back under it to
 * sign inside the HSM where the officer has allowed operations for the tenant. It signs by the one algorithm that it was made for.
 */

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
export function checkSignature(
  key: ManagedObject,
  request: RequestPayload<"Sign">,
  work: Work,
  now: Date,
): void {
  checkOperating(key, "signature", work, now);
  const { data, digestedData, correlationValue, initIndicator, finalIndicator } = request;
  if (!data || digestedData || correlationValue || initIndicator || finalIndicator)
    refuse("This key signs whole messages");
  const { sign } = kindOf(key.attributes);
  const asked = Object.entries(request.cryptographicParameters ?? {}).filter(([, one]) => one !== undefined);
  const due = Object.entries(sign);
  if (
    asked.length !== due.length ||
    due.some(([name, value]) => !asked.some(([n, v]) => n === name && v === value))
  )
    refuse("Not how this key signs");
}

function refuse(message: string): never {
  throw new KmipError("PermissionDenied", message);
}
