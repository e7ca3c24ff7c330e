import { expect, it } from "vitest";
import { languageOf } from "./words.ts";

it("speaks the first of the browser's languages that there is, and English to everybody else", () => {
  expect(languageOf(["fr-FR", "de-AT", "en"])).toBe("de");
  expect(languageOf(["en-GB", "de"])).toBe("en");
  expect(languageOf(["fr"])).toBe("en");
  expect(languageOf([])).toBe("en");
});
