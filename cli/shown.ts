/**
 * Characters that a terminal obeys or hides instead of showing: controls, directions, joiners, blanks of no width, lone
 * surrogates, and what no version of Unicode that we know has given a meaning. Variation selectors belong to the
 * character before them and stay.
 */
export const UNSHOWABLE =
  /(?![\u{FE00}-\u{FE0F}\u{E0100}-\u{E01EF}])[\p{Cc}\p{Cf}\p{Cs}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/** A text of somebody else's as it can stand in a terminal: what cannot be shown is written as `\u{202e}`. */
export function shown(text: string): string {
  return text.replaceAll(UNSHOWABLE, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
