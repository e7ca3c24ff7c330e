import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeKeys } from "#test/support/instance.ts";
import { root } from "#test/support/tree.ts";
import { Api } from "./load/api.ts";
import { Browser } from "./load/browser.ts";
import { type Checkout, checkOut } from "./load/checkout.ts";
import { type Deployment, deploy } from "./load/deployment.ts";
import { processorOf } from "./load/processor.ts";
import { type Figures, measure } from "./measure.ts";
import { median, progress, type Report } from "./row.ts";

/** Requests under way at a time. */
const LOADS = [1, 8, 64];
const MEASURED_MS = 2500;
const WARM_UP_MS = 500;
/** Each is measured so often, in turns with the same of the other checkout; the median counts. */
const TURNS = 3;
/** Keys of one rewrap, compared with one key, by turns. */
const SEVERAL = 100;
const TURNS_OF_SEVERAL = 15;

/**
 * Data keys, rewraps and grants of one account at a real edge and HSM, which have a process each beside this one; and a rewrap of
 * a hundred keys beside one of a single key. `against`: beside another commit, or the checkout in a folder, as far as that has the same.
 */
export async function run(report: Report, { against }: { against?: string | undefined } = {}): Promise<void> {
  const checkouts: Checkout[] = [{ name: "this", dir: root, remove() {} }];
  const sides: Side[] = [];
  try {
    if (against !== undefined) checkouts.push(checkOut(against));
    for (const checkout of checkouts) sides.push(await Side.start(checkout));
    const [own, other] = sides as [Side, ...Side[]];
    for (const kind of KINDS) {
      let first: Spent | undefined;
      for (const load of LOADS) {
        const theirs = other?.has(kind) ? [other] : [];
        const [figures, versus] = await compare([own, ...theirs], kind, load);
        if (figures === undefined) continue;
        tell(report, { kind, load, figures, versus, first: first ?? figures, other: other?.name });
        first ??= figures;
      }
    }
    await severalAtOnce(report, own);
  } finally {
    for (const side of sides) await side.close();
    for (const checkout of checkouts) checkout.remove();
  }
}

const KINDS = ["data-key", "rewrap", "grant"] as const;
type Kind = (typeof KINDS)[number];

/** Rate and times, and milliseconds of processor that one took. */
type Spent = Figures & { hsm: number | null; edge: number | null };

const UNITS = { rate: "/s", p50: "ms", p99: "ms", hsm: "ms of processor", edge: "ms of processor" } as const;

/** A running deployment of a checkout, and a browser there. */
class Side {
  readonly name: string;
  readonly #dir: string;
  readonly #deployment: Deployment;
  readonly #browser: Browser;
  readonly #wrapping: CryptoKeyPair;
  #browsers = 1;

  private constructor(
    name: string,
    dir: string,
    deployment: Deployment,
    browser: Browser,
    wrapping: CryptoKeyPair,
  ) {
    this.name = name;
    this.#dir = dir;
    this.#deployment = deployment;
    this.#browser = browser;
    this.#wrapping = wrapping;
  }

  static async start({ name, dir: checkout }: Checkout): Promise<Side> {
    progress(`${name}: starting a deployment`);
    const dir = mkdtempSync(join(tmpdir(), "coffer-keys-"));
    const deployment = await deploy(checkout, dir, { counted: false });
    const { wrapping } = await makeKeys();
    const browser = new Browser(await Api.of(deployment.appOrigin), deployment, "bench");
    await browser.open(wrapping);
    return new Side(name, dir, deployment, browser, wrapping);
  }

  /** An earlier commit has no grants. */
  has(kind: Kind): boolean {
    return kind !== "grant" || this.#browser.api.has("grantKeys");
  }

  async measure(kind: Kind, load: number): Promise<Spent> {
    // An account has as many grants that are remembered as a bench makes in some twenty seconds.
    const browser = kind === "grant" ? await this.#another() : this.#browser;
    const once = onceOf(kind, browser);
    await browser.refresh();
    await measure(once, load, WARM_UP_MS);
    const before = processorOf(this.#deployment.pid);
    const figures = await measure(once, load, MEASURED_MS);
    const after = processorOf(this.#deployment.pid);
    const each = (of: "hsm" | "edge") => before && after && (after[of] - before[of]) / figures.calls;
    return { ...figures, hsm: each("hsm"), edge: each("edge") };
  }

  /** Of another user. */
  #another(): Promise<Browser> {
    const { api } = this.#browser;
    return new Browser(api, this.#deployment, `bench ${++this.#browsers}`).open(this.#wrapping);
  }

  /** Milliseconds of a rewrap of one key, and of one of `SEVERAL`. */
  async severalAtOnce(): Promise<{ one: number; all: number }> {
    await this.#browser.refresh();
    const edks: string[] = [];
    while (edks.length < SEVERAL) edks.push(...(await this.#browser.dataKeys(10)));
    const one: number[] = [];
    const all: number[] = [];
    for (let turn = 0; turn < TURNS_OF_SEVERAL; turn++) {
      one.push(await timeOf(() => this.#browser.rewrap(edks[turn])));
      all.push(await timeOf(() => this.#browser.rewrapSeveral(edks)));
    }
    return { one: median(one), all: median(all) };
  }

  async close(): Promise<void> {
    await this.#deployment.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function onceOf(kind: Kind, browser: Browser): () => Promise<unknown> {
  if (kind === "data-key") return () => browser.dataKeys(1);
  return kind === "rewrap" ? () => browser.rewrap() : () => browser.grant();
}

async function compare(sides: readonly Side[], kind: Kind, load: number): Promise<Spent[]> {
  const turns = sides.map((): Spent[] => []);
  for (let turn = 0; turn < TURNS; turn++)
    for (const [i, side] of sides.entries()) {
      const spent = await side.measure(kind, load);
      progress(`${side.name}: ${kind}, ${load} under way: ${spent.rate.toFixed(1)}/s`);
      turns[i]!.push(spent);
    }
  return turns.map(middle);
}

function middle(turns: readonly Spent[]): Spent {
  const of = (figure: "calls" | "rate" | "p50" | "p99") => median(turns.map((turn) => turn[figure]));
  const spent = (figure: "hsm" | "edge") => {
    const known = turns.flatMap((turn) => turn[figure] ?? []);
    return known.length === 0 ? null : median(known);
  };
  return {
    ...{ calls: of("calls"), rate: of("rate"), p50: of("p50"), p99: of("p99") },
    ...{ hsm: spent("hsm"), edge: spent("edge") },
  };
}

type Told = {
  kind: Kind;
  load: number;
  figures: Spent;
  /** The same at the other checkout. */
  versus: Spent | undefined;
  /** The same with one under way, where there is no other. */
  first: Spent;
  other: string | undefined;
};

function tell(report: Report, { kind, load, figures, versus, first, other }: Told): void {
  for (const figure of ["rate", "p50", "p99", "hsm", "edge"] as const) {
    const value = figures[figure];
    if (value === null) continue;
    const unit = figure === "rate" ? `${kind}s/s` : UNITS[figure];
    const compared = versus?.[figure] ?? (load === 1 ? null : first[figure]);
    report({
      id: `keys/${kind}/${load}/${figure}`,
      ...{ value, unit },
      versus: compared === null ? null : versus ? other! : `keys/${kind}/1/${figure}`,
      ratio: compared === null ? null : value / compared,
    });
  }
}

async function severalAtOnce(report: Report, side: Side): Promise<void> {
  progress(`${SEVERAL} keys in one rewrap`);
  const { one, all } = await side.severalAtOnce();
  const versus = "keys/rewrap-of-1";
  report({ id: versus, value: one, unit: "ms", versus: null, ratio: null });
  report({ id: `keys/rewrap-of-${SEVERAL}`, value: all, unit: "ms", versus, ratio: all / one });
}

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const before = performance.now();
  await work();
  return performance.now() - before;
}
