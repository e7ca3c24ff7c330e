/** A secret to look for, and every form in which its bytes may lie around. */

/** One form of a secret, at least 8 bytes long. */
export type Pattern = { form: string; bytes: Uint8Array };

/** A secret under a name that may be printed; the secret itself never is. */
export type Needle = { name: string; patterns: Pattern[] };

/** A secret of at least 16 bytes. */
export function needle(name: string, secret: Uint8Array): Needle {
  if (secret.length < 16) throw new RangeError("a needle has at least 16 bytes");
  return { name, patterns: patternsOf(secret) };
}

/** A secret text, such as a file name, in UTF-8 and UTF-16 and in the encodings of its bytes. */
export function textNeedle(name: string, text: string): Needle {
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length < 12) throw new RangeError("a text needle has at least 12 bytes");
  const forms = [
    ...patternsOf(bytes),
    { form: "utf-16", bytes: Buffer.from(text, "utf16le") },
    { form: "percent", bytes: Buffer.from(encodeURIComponent(text)) },
  ];
  return { name, patterns: distinct(forms) };
}

/**
 * Raw, hexadecimal in both cases, base64 and base64url at each of the three alignments that the secret can have
 * inside a longer text, and the texts once more in UTF-16, as a JavaScript engine may hold them.
 */
export function patternsOf(secret: Uint8Array): Pattern[] {
  const hex = Buffer.from(secret).toString("hex");
  const texts: [string, string][] = [
    ["hex", hex],
    ["HEX", hex.toUpperCase()],
  ];
  for (const alignment of [0, 1, 2]) {
    const padded = Buffer.concat([new Uint8Array(alignment), secret]);
    // Only the characters that no neighbouring byte takes part in.
    const from = Math.ceil((alignment * 8) / 6);
    const to = Math.floor((padded.length * 8) / 6);
    const base64 = padded.toString("base64").slice(from, to);
    texts.push([`base64+${alignment}`, base64]);
    texts.push([`base64url+${alignment}`, base64.replaceAll("+", "-").replaceAll("/", "_")]);
  }
  return distinct([
    { form: "raw", bytes: Uint8Array.from(secret) },
    ...texts.map(([form, text]) => ({ form, bytes: Buffer.from(text, "latin1") })),
    ...texts.map(([form, text]) => ({ form: `${form} utf-16`, bytes: Buffer.from(text, "utf16le") })),
  ]);
}

function distinct(patterns: Pattern[]): Pattern[] {
  const seen = new Set<string>();
  return patterns.filter(({ bytes }) => {
    const key = Buffer.from(bytes).toString("latin1");
    return !seen.has(key) && seen.add(key);
  });
}
