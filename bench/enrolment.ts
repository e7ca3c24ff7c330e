import { startSystem } from "#test/support/start.ts";
import { openBrowser, signIn, untilEnrolled, withKit } from "#test/system/index.ts";
import { quantile } from "./load/drive.ts";
import { progress, type Report } from "./row.ts";

const RUNS = 20;
/** Keys are made as soon as an instance is greeted; by then they are there, milliseconds. */
const KEYS_MADE = 4000;

/** In their order: what a person waits for before the first document opens in a browser that was never here. */
const STEPS = ["vault", "hello", "grant", "enrol", "proof"] as const;
type Times = Record<(typeof STEPS)[number] | "keys", number>;

/**
 * The steps of an enrolment by grant (M3), in Chromium with all real parts: median and p95 of 20 runs. `vault`: until the measured code answers on its port;
 * `enrol`: session, request, certificates and their verification, and the store; `proof`: M14. Making the keys is apart: it takes as long as RSA-3072 does
 * to find primes, and goes on while the grant is asked for.
 */
export async function run(report: Report): Promise<void> {
  const system = await startSystem({ vars: { COFFER_ENROLMENTS_PER_MINUTE: "1000" } });
  const browsing = await openBrowser();
  try {
    const { page } = await browsing.open();
    await signIn(page, system, "Ada");
    await untilEnrolled(page);
    const times: Times[] = [];
    for (let n = 0; n < RUNS; n++) {
      progress(`run ${n + 1} of ${RUNS}`);
      times.push(
        await withKit(
          page,
          async (kit, { vault, wait }) => {
            const { identity } = await kit.connect({ vault });
            const dn = identity?.custodian.dn ?? "";
            const rest = await kit.rest(vault);
            const taken = { keys: 0 } as Times;
            const timed = async <T>(step: keyof Times, work: () => Promise<T>): Promise<T> => {
              const began = performance.now();
              const made = await work();
              taken[step] = performance.now() - began;
              return made;
            };
            await timed("keys", () => {
              const rsa = { name: "RSA-OAEP", hash: "SHA-256", modulusLength: 3072 };
              const exponent = { publicExponent: new Uint8Array([1, 0, 1]) };
              return crypto.subtle.generateKey({ ...rsa, ...exponent }, false, ["wrapKey", "unwrapKey"]);
            });
            const before = await kit.openVault(vault, document.body);
            await kit.createPortClient(before.port).forget();
            before.remove();
            const opened = await timed("vault", () => kit.openVault(vault, document.body));
            const port = kit.createPortClient(opened.port);
            const hello = await timed("hello", () => port.hello(dn));
            await new Promise((resolve) => setTimeout(resolve, wait));
            const { grant } = await timed("grant", () => rest.json<{ grant: string }>("POST", "/ra/grants"));
            const instance = await timed("enrol", () => port.enrol({ method: "grant", grant }));
            await timed("proof", () => kit.prove(port, vault, { ...hello, instance }));
            port.close();
            opened.remove();
            return taken;
          },
          { vault: system.vaultOrigin, wait: KEYS_MADE },
        ),
      );
    }
    const say = (id: string, values: number[]) => {
      values.sort((a, b) => a - b);
      for (const [name, share] of [
        ["p50", 0.5],
        ["p95", 0.95],
      ] as const)
        report({
          ...{ id: `enrolment/${id}/${name}`, value: quantile(values, share), unit: "ms" },
          ...{ versus: null, ratio: null },
        });
    };
    for (const step of STEPS)
      say(
        step,
        times.map((taken) => taken[step]),
      );
    say(
      "all-steps",
      times.map((taken) => STEPS.reduce((sum, step) => sum + taken[step], 0)),
    );
    say(
      "making-keys",
      times.map(({ keys }) => keys),
    );
  } finally {
    await browsing.close();
    await system.close();
  }
}
