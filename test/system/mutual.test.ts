/** M14 in Chromium: page and vault prove to each other who they are over their port, and a port alone opens nothing. */

import type { Page } from "playwright";
import { beforeAll, expect, it } from "vitest";
import { openEnrolled, useSystemAndBrowser, withKit } from "./index.ts";

const running = useSystemAndBrowser();
const { system } = running;
let page: Page;

beforeAll(async () => {
  page = await openEnrolled(running, "Ada");
});

it("M14 M13 in Chromium the vault uses no key for a page that has not proved who it is, and refuses proofs that are another's or of another channel", async () => {
  const shown = await withKit(
    page,
    async (kit, vault) => {
      const coffer = await kit.connect({ vault });
      const { dn, certificate, chain = [] } = coffer.identity!.custodian;
      const open = async () => {
        const { port, remove } = await kit.openVault(vault, document.body);
        const client = kit.createPortClient(port);
        const hello = await client.hello(dn);
        const uses = () =>
          client.has("e30.e30.AA").then(
            () => "served",
            (error: { code: string }) => error.code,
          );
        return { client, hello, uses, remove };
      };
      const [one, two] = [await open(), await open()];
      const before = await one.uses();
      let taken: Parameters<typeof one.client.authenticate>[0] | undefined;
      const recorded = {
        ...one.client,
        authenticate: (proof: NonNullable<typeof taken>) => {
          taken = proof;
          return one.client.authenticate(proof);
        },
      };
      await kit.prove(recorded, vault, one.hello);
      const after = await one.uses();
      const replayed = await kit.refusal(two.client.authenticate(taken!));
      const unserved = await two.uses();
      // What a script has that got hold of the certificate, which is public, and not of the key.
      const three = await open();
      const { privateKey } = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, [
        "sign",
      ]);
      const signature = await crypto.subtle.sign(
        { name: "ECDSA", hash: "SHA-256" },
        privateKey,
        new TextEncoder().encode(three.hello.challenge),
      );
      const text = btoa(String.fromCharCode(...new Uint8Array(signature)));
      const proof = text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      const challenge = three.hello.challenge!;
      const authority = chain[0]!;
      const keyless = await kit.refusal(
        three.client.authenticate({ challenge, certificate, authority, proof }),
      );
      const reflected = await kit.refusal(
        kit.prove(
          { ...three.client, authenticate: async ({ proof }) => ({ chain: [certificate, ...chain], proof }) },
          vault,
          three.hello,
        ),
      );
      for (const { remove } of [one, two, three]) remove();
      return { before, after, replayed, unserved, keyless, reflected };
    },
    system.vaultOrigin,
  );
  expect(shown).toEqual({
    before: "custodian-unproven",
    after: "served",
    replayed: "custodian-unproven",
    unserved: "custodian-unproven",
    keyless: "custodian-unproven",
    reflected: "microservice-unproven",
  });
});
