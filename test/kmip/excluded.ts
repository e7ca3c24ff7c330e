import { basename, dirname } from "node:path";

/**
 * Test cases that are wrong themselves: the field that cannot be as the case has it, and the clause that it breaks.
 * By version folder (or file name alone, where the name says the version) of the OASIS publication.
 */
interface Exclusion {
  field: string;
  clause: string;
}

const EXCLUDED: Readonly<Record<string, Exclusion>> = {};

/** What is wrong with the case in that file; undefined for a case that counts. */
export function excluded(path: string): string | undefined {
  const exclusion =
    EXCLUDED[basename(path, ".xml")] ?? EXCLUDED[`${basename(dirname(path))}/${basename(path, ".xml")}`];
  return exclusion && `${exclusion.field}: ${exclusion.clause}`;
}
