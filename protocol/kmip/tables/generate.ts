/**
 * Writes tags.ts and enumerations.ts from the tables that were parsed from the specifications.
 * Run: COFFER_VECTORS=… node protocol/kmip/tables/generate.ts
 */
// biome-ignore-all lint/style/noRestrictedImports: a developer's tool; nothing imports it
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { normaliseName } from "./names.ts";

const VERSIONS = ["1.0", "1.1", "1.2", "1.3", "1.4", "2.0", "2.1"];

/** Tables whose title differs from the tag that carries the value. */
const ENUMERATION_NAMES: Record<string, string> = {
  "Batch Error Continuation": "Batch Error Continuation Option",
  "Destroy Action Type": "Destroy Action",
  "Key Wrap Encoding Option": "Encoding Option",
  "Object Group Member Option": "Object Group Member",
  "Profile Name Type": "Profile Name",
  "NIST Key Type Enumeration": "NIST Key Type",
  "Recommended Curve Enumeration": "Recommended Curve",
  "Recommended Curve Enumeration for ECDSA, ECDH, and ECMQV": "Recommended Curve",
  "Unique Identifier Enumerations": "Unique Identifier",
  "Unique Identifier Enumeration": "Unique Identifier",
};

/** Superscripts and typing errors of the published tables; the test cases show the right form. */
const VALUE_NAMES: Record<string, string> = {
  MFG1: "MGF1",
  "Polynomial Sharing GF (216)": "Polynomial Sharing GF (2^16)",
  "Polynomial Sharing GF (28)": "Polynomial Sharing GF (2^8)",
};

/** KMIP 2.1 §11.38 PKCS#11 Function: numbered from 1 in the order of CK_FUNCTION_LIST (PKCS#11 2.40 §3.4). */
const PKCS_11_FUNCTIONS = `
  C_Initialize C_Finalize C_GetInfo C_GetFunctionList C_GetSlotList C_GetSlotInfo C_GetTokenInfo
  C_GetMechanismList C_GetMechanismInfo C_InitToken C_InitPIN C_SetPIN C_OpenSession C_CloseSession
  C_CloseAllSessions C_GetSessionInfo C_GetOperationState C_SetOperationState C_Login C_Logout
  C_CreateObject C_CopyObject C_DestroyObject C_GetObjectSize C_GetAttributeValue
  C_SetAttributeValue C_FindObjectsInit C_FindObjects C_FindObjectsFinal C_EncryptInit C_Encrypt
  C_EncryptUpdate C_EncryptFinal C_DecryptInit C_Decrypt C_DecryptUpdate C_DecryptFinal C_DigestInit
  C_Digest C_DigestUpdate C_DigestKey C_DigestFinal C_SignInit C_Sign C_SignUpdate C_SignFinal
  C_SignRecoverInit C_SignRecover C_VerifyInit C_Verify C_VerifyUpdate C_VerifyFinal
  C_VerifyRecoverInit C_VerifyRecover C_DigestEncryptUpdate C_DecryptDigestUpdate
  C_SignEncryptUpdate C_DecryptVerifyUpdate C_GenerateKey C_GenerateKeyPair C_WrapKey C_UnwrapKey
  C_DeriveKey C_SeedRandom C_GenerateRandom C_GetFunctionStatus C_CancelFunction C_WaitForSlotEvent`;

/** The last tags of 2.1 (KMIP 2.1, "Tag Enumeration"), which the tables that were parsed lack, from the first on. */
const LAST_TAGS = `
  RotateInterval RotateAutomatic RotateOffset RotateDate RotateGeneration RotateName RotateNameValue
  RotateNameType RotateLatest AsynchronousRequest SubmissionDate ProcessingStage
  AsynchronousCorrelationValues`;
const FIRST_OF_LAST_TAGS = 0x42016a;

/** Values that the tables leave to another specification: [value, first, last] by index into VERSIONS. */
const MISSING: Record<string, Record<string, [number, number, number]>> = {
  PKCS_11Function: Object.fromEntries(
    PKCS_11_FUNCTIONS.trim()
      .split(/\s+/)
      .map((name, index) => [name, [index + 1, 5, 6]]),
  ),
  PKCS_11ReturnCode: { OK: [0, 5, 6] },
  // The tables of 2.x have it no longer, the test cases of 2.0 use it (TC-CERTATTR-1-20).
  CryptographicUsageMask: { ContentCommitmentNonRepudiation: [0x400, 0, 6] },
};

/** Names that test cases give to values, beside those of the tables. */
const OTHER_NAMES: Record<string, Record<string, number>> = {
  CryptographicUsageMask: { ContentCommitment: 0x400 },
  ResultReason: { NotAuthorized: 0x39 },
};

/** Names that later versions changed: the value keeps its last name, the older ones are read as well. */
const byValue = (
  table: Map<string, Entry>,
): { canonical: Map<string, Entry>; former: Map<string, number> } => {
  const canonical = new Map<string, Entry>();
  const former = new Map<string, number>();
  const last = new Map<number, { kept: string; last: number }>();
  for (const [name, entry] of table) {
    const other = last.get(entry.value);
    if (other === undefined || other.last < entry.last)
      last.set(entry.value, { kept: name, last: entry.last });
  }
  for (const [name, entry] of table) {
    const { kept } = last.get(entry.value) ?? { kept: name };
    if (kept !== name) former.set(name, entry.value);
    const known = canonical.get(kept);
    canonical.set(kept, {
      value: entry.value,
      first: Math.min(known?.first ?? entry.first, entry.first),
      last: Math.max(known?.last ?? entry.last, entry.last),
    });
  }
  return { canonical, former };
};

type Entry = { value: number; first: number; last: number };
type Source = { tags: Record<string, string>; enums: Record<string, Record<string, string>> };

const folder = join(process.env.COFFER_VECTORS ?? "", "kmip/tags");
const here = import.meta.dirname;
const tags = new Map<string, Entry>();
const enumerations = new Map<string, Map<string, Entry>>();

function note(table: Map<string, Entry>, name: string, value: number, version: number): void {
  const known = table.get(name);
  if (known === undefined) table.set(name, { value, first: version, last: version });
  else if (known.value !== value) throw new Error(`${name}: ${known.value} or ${value}`);
  else known.last = version;
}

function tableOf(name: string): Map<string, Entry> {
  const table = enumerations.get(name) ?? new Map<string, Entry>();
  enumerations.set(name, table);
  return table;
}

for (const [index, version] of VERSIONS.entries()) {
  const source: Source = JSON.parse(readFileSync(join(folder, `kmip-${version}-tags-enums.json`), "utf8"));
  for (const [tag, name] of Object.entries(source.tags)) {
    note(tags, normaliseName(name), Number.parseInt(tag, 16), index);
  }
  for (const [title, values] of Object.entries(source.enums)) {
    const name = normaliseName(ENUMERATION_NAMES[title] ?? title);
    if (Object.keys(values).length === 0) continue;
    const table = tableOf(name);
    for (const [label, value] of Object.entries(values)) {
      note(table, normaliseName(VALUE_NAMES[label] ?? label), Number.parseInt(value, 16), index);
    }
  }
}
for (const [index, name] of LAST_TAGS.trim().split(/\s+/).entries())
  tags.set(name, { value: FIRST_OF_LAST_TAGS + index, first: 6, last: 6 });
for (const [name, values] of Object.entries(MISSING)) {
  const table = tableOf(name);
  for (const [label, [value, first, last]] of Object.entries(values))
    table.set(label, { value, first, last });
}

const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, "0")}`;
const range = ({ first, last }: Entry) => (last < 6 ? `, ${first}, ${last}` : first > 0 ? `, ${first}` : "");
const head = (what: string) =>
  `// Generated by generate.ts from the OASIS specifications 1.0 to 2.1. Do not edit.\n\n/** ${what} */\n`;
const sorted = (table: Map<string, Entry>) => [...table].sort(([, a], [, b]) => a.value - b.value);

let text = head(
  "Tags: [number, first version, last version]; versions are indexes into VERSIONS, by default 0 and the last.",
);
text += "export const TAGS = {\n";
for (const [name, entry] of sorted(tags)) text += `  ${name}: [${hex(entry.value, 6)}${range(entry)}],\n`;
text += "} as const;\n";
writeFileSync(join(here, "tags.ts"), text);

text = head("Enumerations and bit masks by the tag that carries them: [value, first version, last version].");
text += "export const ENUMERATIONS = {\n";
let former =
  "\n/** Names that earlier versions gave to values of ENUMERATIONS; they are read, never written. */\n";
former += "export const FORMER_NAMES: Record<string, Record<string, number>> = {\n";
for (const name of [...enumerations.keys()].sort()) {
  const names = byValue(tableOf(name));
  for (const [label, value] of Object.entries(OTHER_NAMES[name] ?? {})) names.former.set(label, value);
  text += `  ${name}: {\n`;
  for (const [label, entry] of sorted(names.canonical)) {
    text += `    ${label}: [${hex(entry.value, 2)}${range(entry)}],\n`;
  }
  text += "  },\n";
  if (names.former.size > 0) {
    former += `  ${name}: {\n`;
    for (const [label, value] of names.former) former += `    ${label}: ${hex(value, 2)},\n`;
    former += "  },\n";
  }
}
text += `} as const;\n${former}};\n`;
writeFileSync(join(here, "enumerations.ts"), text);
