import type {
  BrowserContext,
  Fixtures,
  Page,
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
} from "playwright/test";
import { type CofferDeployment, type DeploymentOptions, startDeployment } from "./deployment.ts";
import { type Refusals, refusalsIn } from "./refusals.ts";
import { signInAs } from "./sign-in.ts";

/** Of each worker, so that no two tests that run at a time share anything. */
export interface CofferWorkerFixtures {
  /** Option: what may be another way than `coffer start` has it. */
  cofferOptions: DeploymentOptions;
  /** The deployment: origins, its HSM, its enclave emulator. */
  coffer: CofferDeployment;
  /** Names that nobody has had here yet. */
  cofferPeople: { next(name: string): string };
}

/** Of each test. Whoever it names is new, with an account that has nothing in it. */
export interface CofferFixtures {
  /** Option: the address of your app's page. The shipped page's unless said otherwise. */
  cofferApp: string | undefined;
  /** Option: the accessible name of the button by which one signs in there. */
  cofferSignInButton: string;
  /** Option: that of the button for signing out, which your page shows when somebody is signed in. */
  cofferSignOutButton: string;
  /** Signs a page in by a name, as a person does. */
  signIn: (page: Page, name: string) => Promise<void>;
  /** A page in which a new user is signed in, in the test's own context. */
  signedIn: Page;
  /** A page in which another new user is signed in, in a context of its own. */
  secondUser: Page;
  /** What the browsers of `signedIn` and `secondUser` meet: expired tokens, a datastore that lies. It ends with the test, and so does what is wrong with the HSM. */
  bend: Refusals;
}

/** The contexts of a test, whose requests pass through us from when the test asks for `bend`, and not before. */
type Bends = { add(context: BrowserContext): Promise<void>; begin(): Promise<Refusals[]> };
type All = CofferFixtures & { cofferBends: Bends };
type Playwright = PlaywrightTestArgs & PlaywrightTestOptions;
type PlaywrightWorker = PlaywrightWorkerArgs & PlaywrightWorkerOptions;

/**
 * For `test.extend` of `@playwright/test`.
 *
 * @example
 * import { test as base } from "@playwright/test";
 * import { cofferFixtures } from "@coffer/kit/playwright";
 * const test = base.extend(cofferFixtures);
 * test("tells that the key store is away", async ({ coffer, signedIn }) => {
 *   coffer.hsm.down();
 *   …
 * });
 */
export const cofferFixtures: Fixtures<All, CofferWorkerFixtures, Playwright, PlaywrightWorker> = {
  cofferOptions: [{}, { scope: "worker", option: true }],
  coffer: [
    async ({ cofferOptions }, use) => {
      const { close, ...deployment } = await startDeployment(cofferOptions);
      await use(deployment);
      await close();
    },
    { scope: "worker", timeout: 180_000 },
  ],
  cofferPeople: [
    // biome-ignore lint/correctness/noEmptyPattern: Playwright reads from it what a fixture asks for.
    async ({}, use) => {
      let count = 0;
      await use({ next: (name) => `${name}${++count}` });
    },
    { scope: "worker" },
  ],
  cofferApp: [undefined, { option: true }],
  cofferSignInButton: ["Sign in", { option: true }],
  cofferSignOutButton: ["Sign out", { option: true }],
  signIn: async ({ coffer, cofferApp, cofferSignInButton, cofferSignOutButton }, use) => {
    const [button, signedIn] = [cofferSignInButton, cofferSignOutButton];
    const url = cofferApp ?? `${coffer.appOrigin}/`;
    await use((page, name) => signInAs(page, name, { url, button, signedIn }));
  },
  cofferBends: async ({ coffer }, use) => {
    await use(bendsOf((context) => refusalsIn(context, coffer)));
    coffer.hsm.mend();
    coffer.faults.turn(null);
  },
  bend: async ({ cofferBends, context }, use) => {
    const bends = await cofferBends.begin();
    await cofferBends.add(context);
    const all = (work: (each: Refusals) => void) => bends.forEach(work);
    await use({
      tokenExpired: () => all((each) => each.tokenExpired()),
      signInExpired: () => all((each) => each.signInExpired()),
      datastoreLies: (lie) => all((each) => each.datastoreLies(lie)),
      mend: () => all((each) => each.mend()),
    });
  },
  // With `cofferBends`, so that the HSM is mended after each test that has a page.
  signedIn: async ({ page, signIn, cofferPeople, cofferBends: _mends }, use) => {
    await signIn(page, cofferPeople.next("ada"));
    await use(page);
  },
  secondUser: async ({ browser, signIn, cofferPeople, cofferBends }, use) => {
    const context = await browser.newContext();
    await cofferBends.add(context);
    const page = await context.newPage();
    await signIn(page, cofferPeople.next("grace"));
    await use(page);
    await context.close();
  },
};

/** Whichever of `bend` and a second user comes first: the list that `begin` answers has all that are added, then and later. */
export function bendsOf(install: (context: BrowserContext) => Promise<Refusals>): Bends {
  const waiting: BrowserContext[] = [];
  const installed: Refusals[] = [];
  let begun = false;
  return {
    async add(context) {
      if (begun) installed.push(await install(context));
      else waiting.push(context);
    },
    async begin() {
      begun = true;
      for (const context of waiting.splice(0)) installed.push(await install(context));
      return installed;
    },
  };
}
