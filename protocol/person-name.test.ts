import { expect, it } from "vitest";
import { personName } from "./person-name.ts";

it("tidies names and refuses what is no name", () => {
  expect(personName("  Ada \t Lovelace ")).toBe("Ada Lovelace");
  expect(personName("Åsa")).toBe("Åsa".normalize("NFC"));
  for (const wrong of ["", " ", "a\u0000b", "a\u202eb", "x".repeat(65), 7, null])
    expect(personName(wrong)).toBeNull();
});
