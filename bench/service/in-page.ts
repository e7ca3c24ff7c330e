/** The same encryption by a microservice in the vault's frame, in Chromium: over the page's port, and over REST through the app's Service Worker. */

import type { System } from "#test/support/start.ts";
import { openBrowser, openEnrolled, withKit } from "#test/system/index.ts";
import type { Figures } from "../measure.ts";

/** What runs in the page: `load` calls under way for so many milliseconds, timed there. */
type Ask = { load: number; milliseconds: number };
export type InPage = {
  vault(ask: Ask): Promise<Figures>;
  serviceWorker(ask: Ask): Promise<Figures>;
  /** The page's own WebCrypto. */
  webcrypto(ask: Ask): Promise<Figures>;
  close(): Promise<void>;
};

const WAYS = ["vault", "serviceWorker", "webcrypto"] as const;

/** A page that is signed in, with a key that is loaded in its vault. `bytes`: of what is encrypted. */
export async function openPage(system: System, bytes: number): Promise<InPage> {
  const browsing = await openBrowser();
  try {
    const page = await openEnrolled({ system, browsing }, "bench");
    await withKit(
      page,
      async (kit, { vault, bytes }) => {
        const coffer = await kit.connect({ vault });
        await kit.serveByServiceWorker(coffer);
        const { tenant, accounts, custodian } = coffer.identity!;
        const account = accounts[0]!.id;
        const port = kit.createPortClient((await kit.openVault(vault, document.body)).port);
        const hello = await port.hello(custodian.dn);
        await kit.prove(port, vault, hello);
        const rest = await kit.rest(vault);
        const algorithm = "AES-256-GCM-HKDF-SHA512-COMMIT-KEY";
        const order = { account, count: 1, purpose: "data", algorithm };
        const { edks } = await rest.json<{ edks: [string] }>("POST", "/kms/data-keys", { json: order });
        const [key] = edks;
        const certificate = hello.instance!.wrappingCertificate;
        const json = { way: "rewrap", edk: key, certificate };
        const loaded = await rest.json<Parameters<typeof port.load>[0]>("POST", "/kms/loads", { json });
        await port.load(loaded);
        const headers = { "content-type": "application/json" };
        const put = await fetch("/microservice/keys", {
          method: "POST",
          headers,
          body: JSON.stringify(loaded),
        });
        if (put.status !== 201) throw new Error(`the Service Worker answered ${put.status}`);
        const plain = crypto.getRandomValues(new Uint8Array(bytes));
        const data = btoa(String.fromCharCode(...plain))
          .replaceAll("+", "-")
          .replaceAll("/", "_")
          .replace(/=+$/, "");
        const asked = { key, context: { tenant, account, purpose: "data" }, data };
        const body = JSON.stringify(asked);
        const aes = { name: "AES-GCM", length: 256 };
        const own = await crypto.subtle.generateKey(aes, false, ["encrypt"]);
        const iv = plain.subarray(0, 12);
        const once = {
          vault: () => port.operate("encrypt", asked),
          async serviceWorker() {
            const answer = await fetch("/microservice/operations/encrypt", { method: "POST", headers, body });
            if (answer.status !== 200) throw new Error(`the Service Worker answered ${answer.status}`);
            return answer.arrayBuffer();
          },
          webcrypto: () => crypto.subtle.encrypt({ name: "AES-GCM", iv }, own, plain),
        };
        const timed = async ({ way, load, milliseconds }: Ask & { way: keyof typeof once }) => {
          const times: number[] = [];
          const start = performance.now();
          const lane = async () => {
            while (performance.now() - start < milliseconds) {
              const before = performance.now();
              await once[way]();
              times.push(performance.now() - before);
            }
          };
          await Promise.all(Array.from({ length: load }, lane));
          const took = performance.now() - start;
          times.sort((a, b) => a - b);
          const at = (share: number) => times[Math.min(times.length - 1, Math.floor(share * times.length))]!;
          return { rate: (times.length / took) * 1000, p50: at(0.5), p99: at(0.99) };
        };
        Object.assign(globalThis, { benchTimed: timed });
      },
      { vault: system.vaultOrigin, bytes },
    );
    const ask = (way: (typeof WAYS)[number]) => (of: Ask) =>
      page.evaluate(
        (of) => (globalThis as unknown as { benchTimed(of: object): Promise<Figures> }).benchTimed(of),
        { way, ...of },
      );
    return {
      vault: ask("vault"),
      serviceWorker: ask("serviceWorker"),
      webcrypto: ask("webcrypto"),
      close: () => browsing.close(),
    };
  } catch (error) {
    await browsing.close();
    throw error;
  }
}
