import { expect, it } from "vitest";
import { bearerOf, newSecret, principalOf } from "./secret.ts";

const PRINCIPAL = "a2".repeat(16);

it("names its principal", () => {
  const bearer = bearerOf(PRINCIPAL);
  expect(bearer).toHaveLength(76);
  expect(principalOf(bearer)).toBe(PRINCIPAL);
  expect(bearerOf(PRINCIPAL)).not.toBe(bearer);
});

it.each([
  ["of before, with no principal", newSecret()],
  ["with a short principal", `${PRINCIPAL.slice(1)}.${newSecret()}`],
  ["with another alphabet", `${PRINCIPAL.toUpperCase()}.${newSecret()}`],
  ["that leads elsewhere", `acme/${PRINCIPAL.slice(5)}.${newSecret()}`],
  ["with more behind it", `${PRINCIPAL}.${newSecret()}.${newSecret()}`],
  ["with a short secret", `${PRINCIPAL}.${newSecret().slice(1)}`],
  ["with a line after it", `${PRINCIPAL}.${newSecret()}\n`],
])("is none %s", (_, text) => {
  expect(principalOf(text)).toBeNull();
});
