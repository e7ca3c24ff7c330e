import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeys } from "#test/support/instance.ts";
import { root } from "#test/support/tree.ts";
import { run as keys } from "./keys.ts";
import { Api } from "./load/api.ts";
import { Browser } from "./load/browser.ts";
import { type Checkout, checkOut } from "./load/checkout.ts";
import { type Deployment, deploy } from "./load/deployment.ts";
import { type Drive, drive, quantile, type Touched, touched } from "./load/drive.ts";
import { largeAccount } from "./load/large.ts";
import { KINDS } from "./load/mix.ts";
import { median, progress, type Report } from "./row.ts";

const ACCOUNTS = [1, 10, 100] as const;
/** Jobs at a time. */
const LANES = 8;
/** Each checkout is driven so often, in turns with the other; the median counts. */
const TURNS = 3;
const MILLISECONDS = 6000;

/**
 * Accounts of one tenant, each with a user of its own, at a real edge and HSM: how fast, how many objects each request asks,
 * and how much of all of it the busiest object gets; and before that, by keys.ts, how many keys a second one account gets. `against`: beside another commit, or the checkout in a folder.
 */
export async function run(report: Report, { against }: { against?: string | undefined } = {}): Promise<void> {
  const checkouts: Checkout[] = [{ name: "this", dir: root, remove() {} }];
  const sides: Side[] = [];
  await keys(report, { against });
  try {
    if (against !== undefined) checkouts.push(checkOut(against));
    for (const checkout of checkouts) sides.push(await Side.start(checkout));
    for (const accounts of ACCOUNTS) await compare(report, accounts, sides);
    await count(report, sides);
    while (sides.length > 0) await sides.pop()!.close();
    for (const checkout of checkouts) await compareSizes(report, checkout);
  } finally {
    for (const side of sides) await side.close();
    for (const checkout of checkouts) checkout.remove();
  }
}

/** A running deployment of a checkout. */
class Side {
  readonly name: string;
  readonly #deployment: Deployment;
  readonly #dir: string;
  readonly #api: Api;
  readonly #wrapping: CryptoKeyPair;
  #browsers: Browser[] = [];

  private constructor(name: string, dir: string, deployment: Deployment, api: Api, pair: CryptoKeyPair) {
    this.name = name;
    this.#dir = dir;
    this.#deployment = deployment;
    this.#api = api;
    this.#wrapping = pair;
  }

  static async start({ name, dir: checkout }: Checkout): Promise<Side> {
    const dir = mkdtempSync(join(tmpdir(), "coffer-load-"));
    const deployment = await deploy(checkout, dir, { counted: true });
    const { wrapping } = await makeKeys();
    return new Side(name, dir, deployment, await Api.of(deployment.appOrigin), wrapping);
  }

  /** A user for each account, and a browser for each lane. */
  async populate(accounts: number): Promise<void> {
    this.#browsers = Array.from({ length: Math.max(accounts, LANES) }, (_, i) => {
      return new Browser(this.#api, this.#deployment, `user ${i % accounts} of ${accounts}`);
    });
    const closed = this.#browsers.values();
    const lane = async () => {
      for (const browser of closed) await browser.open(this.#wrapping);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
  }

  drive(milliseconds: number): Promise<Drive> {
    return drive(this.#api, this.#browsers, { lanes: LANES, milliseconds });
  }

  touched(): Promise<Record<string, Touched>> {
    return touched(this.#api, this.#browsers[0]!);
  }

  async close(): Promise<void> {
    await this.#deployment.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

async function compare(report: Report, accounts: number, sides: readonly Side[]): Promise<void> {
  const drives = sides.map((): Drive[] => []);
  for (const side of sides) {
    progress(`${side.name}: ${accounts} accounts sign in`);
    await side.populate(accounts);
    await side.drive(MILLISECONDS / 5);
  }
  for (let turn = 0; turn < TURNS; turn++)
    for (const [i, side] of sides.entries()) {
      const driven = await side.drive(MILLISECONDS);
      drives[i]!.push(driven);
      const { rate, busiest } = driven;
      progress(`${side.name}: ${Math.round(rate)} requests/s, busiest ${busiest.object}`);
    }
  const figures = drives.map(figuresOf);
  tell(report, `load/${accounts}-accounts`, figures, sides);
}

/** What one request of each kind asks does not depend on how many there are. */
async function count(report: Report, sides: readonly Side[]): Promise<void> {
  const figures: Figures[] = [];
  for (const side of sides) figures.push(countsOf(await side.touched()));
  tell(report, "load", figures, sides);
}

/** One that has much beside one that has nothing, of the same checkout. */
async function compareSizes(report: Report, { name, dir }: Checkout): Promise<void> {
  progress(`${name}: an account that has much`);
  const { large, empty } = await largeAccount(dir);
  const prefix = dir === root ? "load/large-account" : `load/large-account/${name}`;
  for (const [figures, others] of [
    [large.times, empty.times],
    [large.rates, empty.rates],
  ] as const)
    for (const [what, value] of Object.entries(figures)) {
      const ratio = value / others[what]!;
      const unit = figures === large.times ? "ms" : `${what}/s`;
      report({ id: `${prefix}/${what}`, value, unit, versus: "empty-account", ratio });
    }
}

type Figures = Record<string, { value: number; unit: string }>;

function tell(
  report: Report,
  prefix: string,
  [own, other]: readonly Figures[],
  sides: readonly Side[],
): void {
  for (const [name, { value, unit }] of Object.entries(own ?? {})) {
    const id = `${prefix}/${name}`;
    const compared = other?.[name]?.value;
    if (compared === undefined) report({ id, value, unit, versus: null, ratio: null });
    else
      report({ id, value, unit, versus: sides[1]!.name, ratio: value === compared ? 1 : value / compared });
  }
}

function figuresOf(drives: readonly Drive[]): Figures {
  const of = (figure: (drive: Drive) => number) => median(drives.map(figure));
  const figures: Figures = {
    requests: { value: of(({ rate }) => rate), unit: "requests/s" },
    calls: { value: of(({ each }) => each.calls), unit: "calls/request" },
    hsm: { value: of(({ each }) => each.hsm), unit: "messages/request" },
    rows: { value: of(({ each }) => each.rows), unit: "rows/request" },
    "busiest-object/of-calls": { value: of(({ busiest }) => 100 * busiest.ofCalls), unit: "%" },
    "busiest-object/of-requests": { value: of(({ busiest }) => 100 * busiest.ofRequests), unit: "%" },
  };
  for (const { name } of KINDS)
    for (const [label, share] of [
      ["p50", 0.5],
      ["p99", 0.99],
    ] as const)
      figures[`${name}/${label}`] = { value: of(({ times }) => quantile(times[name]!, share)), unit: "ms" };
  return figures;
}

function countsOf(asked: Record<string, Touched>): Figures {
  return Object.fromEntries(
    KINDS.flatMap(({ name, requests }) => {
      const { objects, hsm } = asked[name]!;
      const of = requests === 1 ? "" : ` in ${requests} requests`;
      return [
        [`${name}/objects`, { value: objects, unit: `objects${of}` }],
        [`${name}/hsm`, { value: hsm, unit: "messages" }],
      ];
    }),
  );
}
