/**
 * In development one worker has all bindings. What only one domain is bound to in split operation, no other room's code may
 * name: else splitting would show what had been used all along.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { productFiles, roomOf } from "./rooms.ts";
import { root } from "./support/tree.ts";

const OWN = {
  AUDIT_SEGMENTS: "edge/audit",
  AUDIT_OBJECT: "edge/audit",
  AUDIT_SOURCE_OBJECT: "edge/audit",
  AUDIT_GATHERER_OBJECT: "edge/audit",
  AUDIT_LOG_OBJECT: "edge/audit",
  HSM_AUDIT: "edge/audit",
  DOCUMENTS: "edge/datastore",
} as const;

const files = productFiles().map((file) => ({ file, text: readFileSync(`${root}${file}`, "utf8") }));

describe.each(Object.entries(OWN))("the binding %s", (binding, room) => {
  const named = files.filter(({ text }) => new RegExp(`\\benv\\.${binding}\\b|"${binding}"`).test(text));

  it(`is used by ${room} and by no other room`, () => {
    expect(new Set(named.map(({ file }) => roomOf(file)))).toEqual(new Set([room]));
  });

  it("is in wrangler.toml", () => {
    expect(readFileSync(`${root}wrangler.toml`, "utf8")).toMatch(
      new RegExp(`^(binding|name) = "${binding}"$`, "m"),
    );
  });
});
