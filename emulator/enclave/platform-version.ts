/** The version of the platform that is emulated. */
export const PLATFORM_VERSION = "2.0";
/** How EAT tells a version of numbers separated by dots: `multipartnumeric` (RFC 9711, RFC 9393). */
export const hwversion = (version: string) => [version, 1] as const;
