import { expect, it } from "vitest";
import { languageOf, sayIn } from "./words.ts";

it.each([
  [undefined, "en"],
  ["", "en"],
  ["de", "de"],
  ["de-AT,de;q=0.9,en;q=0.8", "de"],
  ["en-GB,en;q=0.9,de;q=0.8", "en"],
  ["fr-FR, fr;q=0.9, de;q=0.5, en;q=0.4", "de"],
  ["en;q=0.1, de;q=0.7", "de"],
  ["de;q=0", "en"],
  ["DE", "de"],
  ["den", "en"],
  ["*", "en"],
  ["de;q=2, en", "en"],
  ["de;q=x", "en"],
  [`${"x,".repeat(10_000)}de`, "en"],
])("of %s speaks %s", (header, language) => {
  expect(languageOf(header)).toBe(language);
});

it("puts in what is given, and nothing of that twice", () => {
  const values = { app: "{name}", name: "Ada" };
  expect(sayIn("en")("Sign in to {app}?", values)).toBe("Sign in to {name}?");
  expect(sayIn("de")("Continue as {name}", values)).toBe("Weiter als Ada");
});
