import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { CREDENTIAL_FAULTS, EVIDENCE_FAULTS, NITRO_FAULTS, NITRO_FORMS } from "./index.ts";

const page = readFileSync(new URL("../../docs/enclave-emulator.md", import.meta.url), "utf8");

/** Names in code, of a part of the page. */
function namesIn(part: string): string[] {
  return [...part.matchAll(/`([a-z0-9-]+)`/g)].map(([, name]) => name!);
}

it("the page of the emulator lists every fault and form", () => {
  const [, ofEat = "", ofCredentials = "", ofNitro = ""] = page.split(/^## Faults .*$/m);
  const [faults = "", forms = ""] = ofNitro.split("Good in other forms:");
  expect(namesIn(ofEat)).toEqual(Object.keys(EVIDENCE_FAULTS));
  expect(namesIn(ofCredentials)).toEqual(Object.keys(CREDENTIAL_FAULTS));
  expect(namesIn(faults)).toEqual(Object.keys(NITRO_FAULTS));
  expect(namesIn(forms.split("\n\n")[0]!)).toEqual(Object.keys(NITRO_FORMS));
});
