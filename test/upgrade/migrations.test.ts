/**
 * Wrangler's migrations: a deployment has done those that it knows by their tags, so what a released one says is never changed.
 * A new class comes under a new tag.
 */

import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { root } from "../support/tree.ts";

const wrangler = readFileSync(`${root}wrangler.toml`, "utf8");
/** Of the deployment that has everything in one worker. */
const migrations = [...wrangler.matchAll(/^\[\[migrations\]\]\ntag = "(.+)"\n(.+) = \[(.+)\]$/gm)].map(
  ([, tag, kind, classes]) => ({
    tag,
    kind,
    classes: [...classes!.matchAll(/"(\w+)"/g)].map(([, name]) => name),
  }),
);

const LANDED = [
  ["v1", "GatewayObject", "IamObject", "RaObject", "KmsObject", "DatastoreObject", "AuditObject"],
  ["v2", "DatastoreAccountObject"],
  ["v3", "IamPrincipalObject", "IamAccountObject"],
  ["v4", "KmsAccountObject"],
  ["v5", "AuditSourceObject", "AuditLogObject"],
  ["v6", "RaPrincipalObject"],
  ["v7", "AuditGathererObject"],
  ["v8", "KmsPrincipalObject"],
  ["v9", "KmsRotationObject"],
  ["v10", "IamAccountKeyObject"],
];

it("go on from those of before, which stay as they were", () => {
  expect(migrations.slice(0, LANDED.length).map(({ tag, classes }) => [tag, ...classes])).toEqual(LANDED);
  expect(new Set(migrations.map(({ tag }) => tag)).size).toBe(migrations.length);
});

it("make every class that is bound, once, and with SQLite", () => {
  const bound = [...wrangler.matchAll(/^class_name = "(\w+)"$/gm)].map(([, name]) => name);
  expect(migrations.flatMap(({ classes }) => classes).toSorted()).toEqual([...new Set(bound)].toSorted());
  expect(new Set(migrations.map(({ kind }) => kind))).toEqual(new Set(["new_sqlite_classes"]));
});
