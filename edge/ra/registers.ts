/**
 * Registers of a measurement (M12), as attestation has verified them: by number, in lower-case hexadecimal, as policies name them. Kept with
 * the instance. A renewal carries them over as they are, since it shows no evidence.
 */

import { parseJson } from "#protocol/json.ts";
import { checked, record } from "#protocol/shape.ts";
import type { Registers } from "../enrolled.ts";

const kept = record(64, 128);

/**
 * Of the measurements that a verifier names: `pcr0`, or with the bank of a TPM `sha256-pcr0`. Null where there is none, or where one number
 * has two values: then a policy that asks is not told.
 */
export function registersOf(measurements: Readonly<Record<string, string>>): Registers | null {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(measurements)) {
    const [, number] = /^(?:sha\d+-)?pcr(0|[1-9]\d?)$/.exec(name) ?? [];
    if (number === undefined) continue;
    if (found[number] !== undefined && found[number] !== value) return null;
    found[number] = value;
  }
  return Object.keys(found).length > 0 ? found : null;
}

export function readRegisters(text: string | null): Registers | null {
  return text === null ? null : checked(kept, parseJson(text));
}
