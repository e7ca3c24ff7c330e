/**
 * The version of a platform: EAT's hwversion (RFC 9711 §4.2.5) in the version scheme multipartnumeric (RFC 9393, numbers separated
 * by dots, compared one by one), so that a policy can refuse platforms that are out of date.
 */

/** CoSWID's number of that scheme (RFC 9393 §4.1). */
const MULTIPART_NUMERIC = 1;
/** One to four numbers of at most nine digits, without leading zeros. */
const VERSION = /^(?:0|[1-9]\d{0,8})(?:\.(?:0|[1-9]\d{0,8})){0,3}$/;

export function isPlatformVersion(text: string): boolean {
  return VERSION.test(text);
}

/** What a claim says, if it is there. Throws an `Error` for one of another scheme, or that is none. */
export function versionIn(hwversion: unknown): string | undefined {
  if (hwversion === undefined) return undefined;
  const [version, scheme, ...more] = Array.isArray(hwversion) ? (hwversion as unknown[]) : [];
  if (
    typeof version !== "string" ||
    !isPlatformVersion(version) ||
    scheme !== MULTIPART_NUMERIC ||
    more.length > 0
  )
    throw new Error("the version of the platform is malformed");
  return version;
}

/** Throws an `Error` unless the version is `min` or newer; one that is not told is as old as can be. */
export function checkVersion(version: string | undefined, min: string | undefined): void {
  if (min === undefined) return;
  if (version === undefined) throw new Error("the evidence tells no version of its platform");
  const [said, wanted] = [version, min].map((text) => text.split(".").map(Number)) as [number[], number[]];
  const differing = [0, 1, 2, 3].find((part) => (said[part] ?? 0) !== (wanted[part] ?? 0));
  if (differing !== undefined && !((said[differing] ?? 0) > (wanted[differing] ?? 0)))
    throw new Error(
      `the platform is out of date: version ${version}, and ${min} is the oldest that is taken`,
    );
}
