import { expect, it } from "vitest";
import { sqlStorage } from "#test/support/sql-storage.ts";
import type { Hsm } from "../hsm/index.ts";
import { insertInstance, revokeInstance } from "./instances.ts";
import { retireEnded } from "./retire.ts";
import { MIGRATIONS } from "./schema.ts";

const binding = { user: "ann", custodian: "CN=ann", client: "page", jkt: "k", origin: "https://app.example" };

it("W12 has set an alarm before it asks the HSM, which may never answer", async () => {
  const sql: SqlStorage = sqlStorage(MIGRATIONS);
  insertInstance(sql, {
    id: "one",
    binding,
    method: "grant",
    tier: "software",
    level: "data",
    identityThumbprint: "t",
    identityCertificateDigest: "i",
    wrappingCertificateDigest: "w",
    hsmKey: "h",
    enrolled: 0,
    notAfter: Math.floor(Date.now() / 1000) + 86_400,
  });
  expect(revokeInstance(sql, "one", binding, 1000).ok).toBe(true);
  let alarm: number | null = null;
  const storage = {
    sql,
    getAlarm: async () => alarm,
    setAlarm: async (at: number) => {
      alarm = at;
    },
  } as unknown as DurableObjectStorage;
  const asked = await new Promise<number | null>((resolve) => {
    const batch = () => {
      resolve(alarm);
      return new Promise<never>(() => {});
    };
    void retireEnded(storage, { batch } as unknown as Hsm);
  });
  expect(asked).not.toBeNull();
  expect(asked! - Date.now()).toBeLessThanOrEqual(60_000);
});
