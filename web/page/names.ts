/**
 * Names as the page shows and compares them. A name is the word of whoever sealed the document, and the world's scripts are in it: what cannot be
 * seen is made visible, what runs from right to left is kept to itself, and two spellings of one name (Unicode normal forms) are one.
 * Control characters and overrides of direction do not come here: the kit leaves them out when it opens a name.
 */

/** What nobody sees: controls, formats, fillers, private use, halves of pairs. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\p{DI}]/gu;
/** Joiners and variation selectors that a letter or picture before them needs, and that show in it. */
const NEEDED =
  /(?<=[\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}]|\ufe0f|[^\p{ASCII}\P{L}])[\u200c\u200d](?=\p{Extended_Pictographic}|[^\p{ASCII}\P{L}])|(?<=[\p{Emoji}\p{L}])(?:\ufe0e|\ufe0f)/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** Marks above and below one letter that are shown. */
const TOWER = /(\p{M}{4})\p{M}+/gu;

/** A name with what cannot be seen in it spelled out, as `⟨U+200B⟩`. */
export function shownName(name: string): string {
  const needed = new Set([...name.matchAll(NEEDED)].map(({ index }) => index));
  return name
    .replaceAll(UNSEEN, (character, at: number) => (needed.has(at) ? character : spelled(character)))
    .replaceAll(TOWER, "$1");
}

/** A name within a sentence: one that runs from right to left does not turn the words around it (UAX #9, isolates). */
export function nameInWords(name: string): string {
  const shown = shownName(name);
  return RIGHT_TO_LEFT.test(shown) ? `\u2068${shown}\u2069` : shown;
}

/** What names are compared by: composed, without case, and without what cannot be seen. */
export function comparableName(name: string): string {
  return name.replaceAll(UNSEEN, "").normalize("NFC").toLowerCase();
}

function spelled(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
}
