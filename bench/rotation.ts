import { rotateMasterKey } from "#cli/master-key.ts";
import type { RotationProgress } from "#protocol/contract/index.ts";
import { IDENTITY } from "#protocol/hierarchy/index.ts";
import { EdgeClient } from "#test/support/edge-client.ts";
import { json } from "#test/support/http.ts";
import { type EnrolmentAnswer, enrol, makeKeys } from "#test/support/instance.ts";
import { copyAccount } from "#test/support/many-accounts.ts";
import { startSystem } from "#test/support/start.ts";
import { hsmClient } from "#test/system/hsm.ts";
import { quantile } from "./load/drive.ts";
import { progress, type Report } from "./row.ts";

/** Accounts of the tenant; COFFER_BENCH_ACCOUNTS has fewer measured. */
const ACCOUNTS = 10_000;
/** Accounts that are read from, one after the other. */
const READ = 16;
const BASELINE_MS = 10_000;

/**
 * The rotation of a master key over all accounts of a tenant: how long reads take meanwhile, beside those before it in the same run,
 * and what an account costs. The edge runs in workerd, the HSM in this process, which asks.
 */
export async function run(report: Report): Promise<void> {
  const count = Number(process.env.COFFER_BENCH_ACCOUNTS ?? ACCOUNTS);
  const system = await startSystem({ admins: ["Ann"], vars: { COFFER_REQUESTS_PER_TEN_SECONDS: "1000000" } });
  try {
    const ann = await EdgeClient.signedIn(system, "Ann");
    const { wrappingCertificate: certificate } = json<EnrolmentAnswer>(await enrol(ann, await makeKeys()));
    const newEdk = async (account: string) => {
      const order = { account, count: 1, purpose: "document" };
      return json<{ edks: [string] }>(await ann.rest("POST", "/kms/data-keys", order)).edks[0];
    };
    await newEdk(ann.account);
    const told = async () => json<RotationProgress>(await ann.rest("GET", "/kms/rotation"));
    json(await ann.rest("POST", "/kms/rotation"));
    progress(`${count} accounts`);
    let accounts: string[] = [];
    await system.restart(() => {
      accounts = copyAccount(system.edgeDir, ann.account, count);
    });
    const edks: string[] = [];
    for (const account of accounts.slice(0, READ)) edks.push(await newEdk(account));
    let failed = 0;
    const read = async (times: number[], until: () => boolean) => {
      for (let i = 0; !until(); i++) {
        const began = performance.now();
        const request = { way: "rewrap", edk: edks[i % edks.length], certificate };
        const { status } = await ann.rest("POST", "/kms/loads", request);
        times.push(performance.now() - began);
        if (status !== 200) failed += 1;
      }
    };
    const ended = performance.now() + BASELINE_MS;
    await read([], () => performance.now() > ended - BASELINE_MS / 2);
    const before: number[] = [];
    await read(before, () => performance.now() > ended);

    progress("rotating");
    const officer = await hsmClient(system, IDENTITY.officer);
    const { successor } = await rotateMasterKey(officer, "development", new Date());
    officer.close();
    json(await ann.rest("POST", "/kms/rotation"));
    const moved = async () => (await told()).moved;
    // It begins when nothing goes on with the old key.
    while ((await moved()) === 0) await new Promise((resolve) => setTimeout(resolve, 250));
    const began = performance.now();
    const meanwhile: number[] = [];
    let done = false;
    const watch = async () => {
      for (let now = await told(); now.moved < now.all || now.master !== successor; now = await told()) {
        progress(`${now.moved} of ${now.all}, ${now.failed} failed`);
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
      done = true;
    };
    await Promise.all([watch(), read(meanwhile, () => done)]);
    const milliseconds = performance.now() - began;
    const baseline = quantile(sorted(before), 0.99);
    const p99 = quantile(sorted(meanwhile), 0.99);
    report({ id: "rotation/reads-before/p99", value: baseline, unit: "ms", versus: null, ratio: null });
    report({
      id: `rotation/${count}-accounts/reads-meanwhile/p99`,
      value: p99,
      unit: "ms",
      versus: "rotation/reads-before/p99",
      ratio: p99 / baseline,
    });
    report({
      id: `rotation/${count}-accounts/an-account`,
      value: milliseconds / count,
      unit: "ms",
      versus: null,
      ratio: null,
    });
    report({ id: "rotation/failed-reads", value: failed, unit: "reads", versus: null, ratio: null });
  } finally {
    await system.close();
  }
}

function sorted(times: readonly number[]): number[] {
  return times.toSorted((a, b) => a - b);
}
