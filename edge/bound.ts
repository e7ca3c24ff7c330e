/**
 * A bound by configuration: the text of a variable in wrangler.toml, or `otherwise` where it is not set. Throws for what
 * is no whole number from 1 up: a bound that was mistyped must not mean another one, or none.
 */
export function configuredBound(variable: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const bound = Number(text);
  if (/^[1-9]\d*$/.test(text) && Number.isSafeInteger(bound)) return bound;
  console.error(JSON.stringify({ event: "configuration", variable, expected: "a whole number from 1 up" }));
  throw new TypeError(`${variable} is not a whole number from 1 up`);
}
