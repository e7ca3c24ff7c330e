/** Account keys that are RSA pairs at the levels below `master`, on the real parts. */

import { describe, expect, it } from "vitest";
import { type Client, connect } from "#cli/client.ts";
import { decodeBase64url, encodeBase64url } from "#protocol/base64url.ts";
import type { Level } from "#protocol/level.ts";
import type { Step } from "#web/microservice/index.ts";
import { EdgeClient } from "../support/edge-client.ts";
import { json } from "../support/http.ts";
import { InstanceClient } from "../support/instance-client.ts";
import { type System, startSystem } from "../support/start.ts";
import { readRows } from "../system/index.ts";

async function withSystem(level: Level, work: (system: System) => Promise<void>): Promise<void> {
  const system = await startSystem({ level, settings: () => ({ accountKeys: "RSA-3072" }) });
  try {
    await work(system);
  } finally {
    await system.close();
  }
}

async function withClient(system: System, steps: Step[], work: (client: Client) => Promise<void>) {
  const { appOrigin: app, vaultOrigin: vault, running } = system;
  const instance = { watch: (step: Step) => void steps.push(step) };
  const client = await connect({ app, vault, rootKey: running.rootKey, user: "Ada", instance });
  try {
    await work(client);
  } finally {
    client.close();
  }
}

/** What `seal` stored, opened. */
async function roundTrip({ documents, account }: Client): Promise<string> {
  const { id } = await documents.seal(new TextEncoder().encode("a letter"), account(), {
    name: "letter.txt",
  });
  return new Response((await documents.open(id, { account: account() })).stream).text();
}

const kinds = (system: System) =>
  readRows(system.edgeDir, "account_keys").map((row) => row.public_key !== null);

describe("W1 account keys that are pairs", () => {
  it("W1 at level data documents are sealed and opened by data keys that the HSM rewraps from a pair", async () => {
    await withSystem("data", async (system) => {
      await withClient(system, [], async (client) => {
        expect(await roundTrip(client)).toBe("a letter");
      });
      // Another instance, which has none of the keys.
      await withClient(system, [], async ({ documents, account }) => {
        const [listed] = await documents.list([account()]);
        const { stream } = await documents.open(listed!.id, { account: account() });
        expect(await new Response(stream).text()).toBe("a letter");
      });
      expect(kinds(system)).toEqual([true]);
    });
  }, 60_000);

  it("W1 at level account the instance is given the private half under a key of its own, and makes a version by the public half", async () => {
    await withSystem("account", async (system) => {
      const steps: Step[] = [];
      await withClient(system, steps, async (client) => {
        expect(await roundTrip(client)).toBe("a letter");
        const decrypted = steps.filter(({ step }) => step === "decrypt").map(({ what }) => what);
        expect(decrypted.slice(0, 2)).toEqual(["account key", "data key"]);
        const { port } = await client.microservice.use();
        const made = await port.renew(client.account());
        expect(made.keyVersion).toBe(2);
        await port.lock();
        expect(await roundTrip(client)).toBe("a letter");
      });
      expect(kinds(system)).toEqual([true]);
      // By hand: the key to the instance is 384 bytes of RSA-OAEP, the private half stands under it, and no HSM object is left.
      const app = await InstanceClient.ready(await EdgeClient.signedIn(system, "Ada"));
      const body = { account: app.account, challenge: encodeBase64url(new Uint8Array(32)) };
      const answer = json<{ wrappedKey: string; privateKey: string; publicKey: string }>(
        await app.rest("POST", "/instances/account-key", body),
      );
      expect(decodeBase64url(answer.wrappedKey)).toHaveLength(384);
      expect(decodeBase64url(answer.publicKey)).toHaveLength(422);
      const { subtle } = crypto;
      const rsa = { name: "RSA-OAEP", hash: "SHA-256" };
      const cek = await subtle.unwrapKey(
        ...(["raw", decodeBase64url(answer.wrappedKey), app.keys.wrapping.privateKey, rsa] as const),
        ...(["AES-GCM", false, ["unwrapKey"]] as const),
      );
      const bytes = decodeBase64url(answer.privateKey);
      const by = { name: "AES-GCM", iv: bytes.slice(0, 12) };
      const pair = await subtle.unwrapKey(
        ...(["pkcs8", bytes.slice(12), cek, by, rsa, false, ["unwrapKey"]] as const),
      );
      expect(pair.algorithm).toMatchObject({ modulusLength: 3072 });
      await expect.poll(() => readRows(system.edgeDir, "hsm_batches"), { timeout: 10_000 }).toEqual([]);
    });
  }, 60_000);
});
