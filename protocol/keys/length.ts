/** Longest compact JWS that is read, in characters (ASCII, so bytes too). Apart, for those who need no key to know it. */
export const MAX_JWS_LENGTH = 8192;
