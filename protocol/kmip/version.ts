/** Protocol versions: 1.0 to 2.1, in the order of the tables. */

/** Protocol Version of a message header (KMIP 2.1 §9.16). */
export type ProtocolVersion = { major: number; minor: number };

/** The newest version that this codec knows. */
export const NEWEST_VERSION: ProtocolVersion = { major: 2, minor: 1 };

/** The versions that this codec knows; tables hold indexes into this list. */
export const VERSIONS: readonly [ProtocolVersion, ...ProtocolVersion[]] = [
  { major: 1, minor: 0 },
  { major: 1, minor: 1 },
  { major: 1, minor: 2 },
  { major: 1, minor: 3 },
  { major: 1, minor: 4 },
  { major: 2, minor: 0 },
  NEWEST_VERSION,
];

/** Index of the newest version. */
export const NEWEST = VERSIONS.length - 1;

/** Index of 2.0, where TemplateAttribute gave way to Attributes. */
export const V2_0 = 5;

/** Index of the newest version of the tables that is not newer than the given one; 0 for anything older. */
export function versionIndex({ major, minor }: ProtocolVersion): number {
  let index = 0;
  for (const [i, known] of VERSIONS.entries()) {
    if (known.major < major || (known.major === major && known.minor <= minor)) index = i;
  }
  return index;
}

/** Whether the tables hold this very version. */
export function isSupported({ major, minor }: ProtocolVersion): boolean {
  return VERSIONS.some((known) => known.major === major && known.minor === minor);
}
