/**
 * cli/playwright: fixtures for an app's own end-to-end tests, `@coffer/kit/playwright`: each worker of Playwright has a deployment of its own, with pages
 * that are signed in, and calls that make its parts fail. Nothing of Playwright is loaded here: the test object is the app's own.
 * May import: protocol/*.ts, emulator/enclave, cli, node:, types of playwright. Imported by apps' tests.
 */

export type { CofferDeployment, DeploymentOptions } from "./deployment.ts";
export { type CofferFixtures, type CofferWorkerFixtures, cofferFixtures } from "./fixtures.ts";
export type { HsmDoor } from "./hsm-door.ts";
export type { Lie, Refusals } from "./refusals.ts";
