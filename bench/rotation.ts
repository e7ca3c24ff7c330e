import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { CommandError } from "#cli/command-error.ts";
import { rotateMasterKey } from "#cli/master-key.ts";
import type { RotationProgress } from "#protocol/contract/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { EdgeClient, type Tokens } from "#test/support/edge-client.ts";
import { json } from "#test/support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "#test/support/instance.ts";
import { copyAccount, untilChained } from "#test/support/many-accounts.ts";
import { type System, startSystem } from "#test/support/start.ts";
import { hsmClient } from "#test/system/hsm.ts";
import { quantile } from "./load/drive.ts";
import { progress, type Report } from "./row.ts";

/** Accounts of the tenant; COFFER_BENCH_ACCOUNTS has fewer measured. */
const ACCOUNTS = 10_000;
/** Accounts that are read from, one after the other. */
const READ = 16;
const BEFORE_MS = 40_000;
/** Reads of a process that has just begun are not counted. */
const WARM_MS = 5000;
/** A rotation takes longer than an access token lives. */
const REFRESH_MS = 120_000;
/** What p99 may become while keys move, as a multiple of what it is without (docs/scale.md). */
const MAX_SLOWDOWN = 2;
/** Between two reads: a reader that hardly waits would be most of the load, and the rotation gives way to it for an hour. Milliseconds. */
const BETWEEN_MS = 100;

/**
 * The rotation of a master key over all accounts of a tenant: how long reads take meanwhile, and what an account costs. Beside them
 * stand reads from the same deployment before it, and reads at the same time from a deployment that does nothing else, for what else
 * goes on on the machine. In the middle the edge is killed. Each edge runs in workerd, both HSMs in this process, which reads. Throws, once all
 * figures are reported, where reads have failed, or take longer than they may.
 */
export async function run(report: Report): Promise<void> {
  const count = Number(process.env.COFFER_BENCH_ACCOUNTS ?? ACCOUNTS);
  const systems: System[] = [];
  try {
    const vars = { COFFER_REQUESTS_PER_TEN_SECONDS: "1000000" };
    for (let i = 0; i < 2; i++) systems.push(await startSystem({ admins: ["Ann"], vars }));
    const [system, other] = systems as [System, System];
    const ann = await Reader.signedIn(system);
    const beside = await Reader.signedIn(other);
    for (let i = 0; i < READ; i++) await beside.newEdk(beside.client.account);
    await ann.order(ann.client.account);
    const told = async () => json<RotationProgress>(await ann.client.rest("GET", "/kms/rotation"));
    const begin = async () => json<RotationProgress>(await ann.client.rest("POST", "/kms/rotation"));
    await begin();
    await untilChained(system.edgeDir, ann.client.account);
    const copying = performance.now();
    let accounts: string[] = [];
    await system.restart(() => {
      accounts = copyAccount(system.edgeDir, ann.client.account, count);
    });
    progress(`${count} accounts, made in ${Math.round(performance.now() - copying)} ms`);
    for (const account of accounts.slice(0, READ)) await ann.newEdk(account);

    const both = async (times: [number[], number[]], until: () => boolean) => {
      while (!until()) {
        await ann.read(times[0]);
        await beside.read(times[1]);
        await pause(BETWEEN_MS);
      }
    };
    const readFor = async (milliseconds: number, times: [number[], number[]] = [[], []]) => {
      const began = performance.now();
      await both(times, () => performance.now() > began + milliseconds);
    };
    await readFor(WARM_MS);
    const before: [number[], number[]] = [[], []];
    await readFor(BEFORE_MS, before);

    const officer = await hsmClient(system, IDENTITY.officer);
    const { successor } = await rotateMasterKey(officer, "development", new Date());
    officer.close();
    await begin();
    // It begins when nothing goes on with the old key.
    while ((await told()).moved === 0) await pause(250);
    const meanwhile: [number[], number[]] = [[], []];
    let spent = 0;
    let took = 0;
    /** Reads until so many accounts have moved. */
    const during = async (wanted: number) => {
      const [began, cpu] = [performance.now(), cpuOf(system.pid)];
      let done = false;
      const watch = async () => {
        for (let now = await told(); !done; now = await told()) {
          progress(`${now.moved} of ${now.all} moved, ${now.failed} failed`);
          done = now.moved >= Math.min(wanted, now.all) && now.master === successor;
          if (!done) await pause(2000);
        }
      };
      await Promise.all([watch(), both(meanwhile, () => done)]);
      took += performance.now() - began;
      spent += cpuOf(system.pid) - cpu;
    };
    await during(count / 2);
    process.kill(system.pid, "SIGKILL");
    await system.restart();
    const resumed = (await told()).moved;
    await readFor(WARM_MS);
    progress(`killed and started again: ${resumed} moved`);
    await during(Number.POSITIVE_INFINITY);

    const id = `rotation/${count}-accounts`;
    const p99 = (times: number[]) => quantile(sorted(times), 0.99);
    const p50 = (times: number[]) => quantile(sorted(times), 0.5);
    const alone = (name: string, value: number, unit: string) =>
      report({ id: name, value, unit, versus: null, ratio: null });
    const compared = (name: string, value: number, versus: string, by: number) =>
      report({ id: name, value, unit: "ms", versus, ratio: value / by });
    alone("rotation/reads-before/p50", p50(before[0]), "ms");
    alone("rotation/reads-before/p99", p99(before[0]), "ms");
    alone("rotation/reads-beside/p50", p50(meanwhile[1]), "ms");
    alone("rotation/reads-beside/p99", p99(meanwhile[1]), "ms");
    for (const [share, of] of [
      ["p50", p50],
      ["p99", p99],
    ] as const) {
      const value = of(meanwhile[0]);
      compared(`${id}/reads-meanwhile/${share}`, value, `rotation/reads-before/${share}`, of(before[0]));
      compared(`${id}/reads-meanwhile/${share}`, value, `rotation/reads-beside/${share}`, of(meanwhile[1]));
    }
    alone(`${id}/an-account`, took / count, "ms");
    if (spent > 0) alone(`${id}/an-account/edge-and-reads`, spent / count, "ms of CPU");
    alone(`${id}/moved-before-the-kill`, resumed, "accounts");
    const reads = before[0].length + meanwhile[0].length;
    alone("rotation/failed-reads", ann.failed, `of ${reads} reads`);
    if (ann.failed > 0) throw new CommandError(`${ann.failed} of ${reads} reads failed`);
    const slowdown = p99(meanwhile[0]) / p99(before[0]);
    if (slowdown > MAX_SLOWDOWN)
      throw new CommandError(
        `p99 of reads is ${slowdown.toFixed(2)} times what it is without a rotation; it may be ${MAX_SLOWDOWN} times`,
      );
  } finally {
    for (const system of systems) await system.close();
  }
}

/** Loads data keys of accounts in turn. */
class Reader {
  readonly client: EdgeClient;
  readonly #certificate: string;
  readonly #edks: string[] = [];
  #next = 0;
  #refreshed = performance.now();
  failed = 0;

  private constructor(client: EdgeClient, certificate: string) {
    this.client = client;
    this.#certificate = certificate;
  }

  static async signedIn(system: System): Promise<Reader> {
    const client = await EdgeClient.signedIn(system, "Ann");
    const { wrappingCertificate } = json<EnrolmentAnswer>(await enrol(client, await makeKeys()));
    return new Reader(client, wrappingCertificate);
  }

  async order(account: string): Promise<string> {
    const order = { account, count: 1, purpose: "document" };
    return json<{ edks: [string] }>(await this.client.rest("POST", "/kms/data-keys", order)).edks[0];
  }

  async newEdk(account: string): Promise<void> {
    this.#edks.push(await this.order(account));
  }

  async read(times: number[]): Promise<void> {
    if (performance.now() > this.#refreshed + REFRESH_MS) {
      this.#refreshed = performance.now();
      this.client.tokens = json<Tokens>(await this.client.refresh(this.client.tokens.refresh_token));
    }
    const began = performance.now();
    const edk = this.#edks[this.#next++ % this.#edks.length];
    const request = { way: "rewrap", edk, certificate: this.#certificate };
    const { status } = await this.client.rest("POST", "/kms/loads", request);
    times.push(performance.now() - began);
    if (status !== 200) this.failed += 1;
  }
}

function sorted(times: readonly number[]): number[] {
  return times.toSorted((a, b) => a - b);
}

/** Milliseconds of processor that a process has had; 0 where the system does not say so. */
function cpuOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) * 10;
  } catch {
    return 0;
  }
}
