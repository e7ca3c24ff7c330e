/** An account that has much, beside one that has nothing, in one deployment and by turns. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeys } from "#test/support/instance.ts";
import { median, progress } from "../row.ts";
import { Api } from "./api.ts";
import { Browser } from "./browser.ts";
import { deploy } from "./deployment.ts";
import { fill } from "./fill.ts";

const SIZE = { dataKeys: 100_000, documents: 100_000, members: 10_000 };
const TURNS = 100;
const LANES = 8;
const WRITING_MS = 5000;

const WORKS = {
  "sign-in": (browser: Browser) => browser.signIn(),
  rewrap: (browser: Browser) => browser.rewrap(),
  list: (browser: Browser) => browser.list(),
};
const WRITES = {
  orders: (browser: Browser) => browser.order(),
  seals: (browser: Browser) => browser.seal(),
};

/** What one account is able to do: milliseconds of each work, and how many writes of each kind a second. */
export type Able = { times: Record<string, number>; rates: Record<string, number> };

/** Runs the code of `checkout` on a folder of its own. */
export async function largeAccount(checkout: string): Promise<{ large: Able; empty: Able }> {
  const dir = mkdtempSync(join(tmpdir(), "coffer-large-"));
  try {
    const { wrapping } = await makeKeys();
    const running = await Running.on(checkout, dir, wrapping);
    const account = running.large.account;
    await running.close();
    progress(`${SIZE.dataKeys} data keys, ${SIZE.documents} documents and ${SIZE.members} members`);
    fill(dir, account, SIZE);
    const again = await Running.on(checkout, dir, wrapping);
    try {
      if (again.large.account !== account) throw new Error("The account of before is not there");
      return await measure(again.large, again.empty);
    } finally {
      await again.close();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

class Running {
  readonly large: Browser;
  readonly empty: Browser;
  readonly close: () => Promise<void>;

  private constructor(large: Browser, empty: Browser, close: () => Promise<void>) {
    this.large = large;
    this.empty = empty;
    this.close = close;
  }

  static async on(checkout: string, dir: string, wrapping: CryptoKeyPair): Promise<Running> {
    const deployment = await deploy(checkout, dir, { counted: false });
    const api = await Api.of(deployment.appOrigin);
    const open = (name: string) => new Browser(api, deployment, name).open(wrapping);
    return new Running(await open("large"), await open("empty"), deployment.close);
  }
}

async function measure(large: Browser, empty: Browser): Promise<{ large: Able; empty: Able }> {
  const both = { large, empty };
  const able = (): Able => ({ times: {}, rates: {} });
  const found = { large: able(), empty: able() };
  const sides = ["large", "empty"] as const;
  for (const [name, work] of Object.entries(WORKS)) {
    const times = { large: [] as number[], empty: [] as number[] };
    for (let turn = 0; turn < TURNS; turn++)
      for (const side of turn % 2 === 0 ? sides : sides.toReversed()) {
        const began = performance.now();
        await work(both[side]);
        times[side].push(performance.now() - began);
      }
    for (const side of sides) found[side].times[name] = median(times[side]);
  }
  for (const [name, work] of Object.entries(WRITES))
    for (const side of sides) found[side].rates[name] = await rateOf(() => work(both[side]));
  return found;
}

async function rateOf(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  let done = 0;
  const lane = async () => {
    for (; performance.now() - began < WRITING_MS; done++) await work();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return done / ((performance.now() - began) / 1000);
}
