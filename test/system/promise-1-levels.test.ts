/** Promise 1 at levels `account` and `master` with AES keys: what the HSM makes and releases for an instance is nowhere in the edge in the clear. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { connect } from "#cli/client.ts";
import {
  canReadMemory,
  needle,
  scanBytes,
  scanDirectory,
  scanProcess,
  watchMemory,
} from "../memory/index.ts";
import { skipTest } from "../support/missing.ts";
import { useSystem, watchKeys, watchTraffic } from "./index.ts";

const system = useSystem({ otherTenants: ["rung", "top"], levels: { rung: "account", top: "master" } });
const traffic = watchTraffic();
const watched = watchKeys();
let seen: Awaited<ReturnType<ReturnType<typeof watchMemory>["stop"]>> | null = null;

beforeAll(async () => {
  const { rootKey } = system.running;
  const watch = canReadMemory(system.pid) ? watchMemory(system.pid) : null;
  let known = 0;
  // What the HSM has by then is looked for from then on, while it is used too.
  const look = () => {
    for (const one of needles().slice(known)) watch?.add(one);
    known = needles().length;
  };
  for (const tenant of ["rung", "top"]) {
    const { appOrigin: app, vaultOrigin: vault } = system.tenant(tenant);
    let letter = "";
    for (const turn of [0, 1]) {
      const client = await connect({ app, vault, rootKey, user: "Ada" });
      const { documents, account, life } = client;
      look();
      const sealed = (text: string) =>
        documents.seal(new TextEncoder().encode(text), account(), { name: "letter.txt" });
      if (turn === 0) ({ id: letter } = await sealed("a letter"));
      look();
      const { stream } = await documents.open(letter, { account: account() });
      expect(await new Response(stream).text()).toBe("a letter");
      // The next version of each key, by the HSM, and by the instance itself.
      await life.rotateKey(account());
      await life.rotateDataKey(account());
      await life.rotateDataKey(account(), { by: "instance" });
      look();
      await sealed("another");
      client.close();
    }
  }
  seen = watch && (await watch.stop());
}, 120_000);
afterAll(() => {
  traffic.stop();
  watched.stop();
});

const needles = () =>
  watched.keys
    .filter(({ keyClass }) => keyClass !== "encrypted")
    .map(({ keyClass, bytes }, index) => needle(`${keyClass} key ${index}`, bytes));

it("Promise 1 at levels account and master: KMIP traffic, Durable Objects, R2 and the log hold no key", () => {
  for (const [of, count] of [
    ["master", 2],
    ["account", 4],
    ["data", 4],
  ] as const)
    expect(watched.ofClass(of).length, of).toBeGreaterThanOrEqual(count);
  expect(scanBytes(traffic.bytes(), needles(), "KMIP")).toEqual([]);
  expect(scanDirectory(system.dir, needles()).findings).toEqual([]);
  expect(scanBytes(Buffer.from(system.log()), needles(), "log")).toEqual([]);
  for (const of of ["master", "account", "data"] as const) {
    const [one] = watched.ofClass(of);
    expect(scanBytes(Buffer.concat([traffic.bytes(), one!.bytes]), needles()), of).toHaveLength(1);
  }
});

it("Promise 1 at levels account and master: the memory of workerd holds none while documents are sealed and opened, and keys rotated", (context) => {
  if (!seen) return skipTest(context, "the memory of workerd cannot be read here");
  expect(seen.findings).toEqual([]);
  expect(seen.scanned).toBeGreaterThan(50_000_000);
  expect(scanProcess(system.pid, needles()).findings).toEqual([]);
});
