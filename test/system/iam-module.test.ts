/** W15: the IAM as a module of the app or of the KMS, in split operation on this machine: no process of its own, and the same work. */

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { UNITS, unitsWith } from "#edge/units.ts";
import { utf8 } from "#protocol/bytes.ts";
import { type System, startSystem } from "../support/start.ts";

let system: System | undefined;
afterEach(async () => {
  await system?.close();
  system = undefined;
});

async function withServer<T>(
  { appOrigin: app, vaultOrigin: vault, running }: System,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const client = await connect({ app, vault, rootKey: running.rootKey, user: "server" });
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

const context = ({ identity, account }: Client) => ({
  ...{ tenant: identity.tenant, account: account(), document: "one", purpose: "document" },
});

describe("W15 the IAM as a module", () => {
  it.each([
    ["app", "iam"],
    ["kms", "datastore"],
  ] as const)(
    "W15 of the %s, with Enc(account) at %s: seals, and opens after a restart",
    async (host, keys) => {
      system = await startSystem({
        ...{ split: true, iamIn: host, level: "master" },
        vars: { COFFER_ACCOUNT_KEYS: keys },
      });
      const sealed = await withServer(system, async (client) => {
        const { port } = await client.microservice.use();
        return new Response(port.seal({ context: context(client) }, utf8(`by an IAM in ${host}`))).blob();
      });
      const { edgeDir } = system;
      const { pids } = system.running.edge;
      expect(Object.keys(pids)).toEqual(unitsWith(host).map((unit) => `coffer-${unit}`));
      expect(Object.keys(pids)).toHaveLength(UNITS.length - 1);
      // Its stores are in the folder of that unit, and in no other.
      const objects = (unit: string) => {
        const folder = join(edgeDir, unit);
        return existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];
      };
      const having = unitsWith(host).filter((unit) =>
        objects(unit).some((path) => path.includes("IamAccount")),
      );
      expect(having).toEqual([host]);
      await system.restart();
      const opened = await withServer(system, async (client) => {
        const { port } = await client.microservice.use();
        return new Response(port.open({ context: context(client) }, sealed)).text();
      });
      expect(opened).toBe(`by an IAM in ${host}`);
    },
  );

  it.each([
    [{ iamIn: "kms" }, "COFFER_IAM_IN is kms: Enc(account) has to be with the datastore"],
    [{ iamIn: "kms", vars: { COFFER_ACCOUNT_KEYS: "store" } }, "has to be with the datastore"],
    [{ iamIn: "ra" as "app" }, "a module of a unit in split operation alone"],
  ] as const)("W15 starts nothing with %o, and says why", async (wrong, why) => {
    await expect(startSystem({ split: true, level: "master", ...wrong })).rejects.toThrow(why);
  });
});
