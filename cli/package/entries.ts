/** What the package offers to imports: each entry by its file in `dist/package`, and the source that it is built from. */
export const ENTRIES = {
  index: "web/browser/index.ts",
  "service-worker": "web/browser/service-worker.ts",
  service: "web/hosts/client/index.ts",
  microservice: "web/microservice/index.ts",
  "microservice-node": "web/hosts/node/index.ts",
  node: "cli/node.ts",
  envelope: "protocol/envelope/index.ts",
  kmip: "protocol/kmip/index.ts",
  "kmip-node": "kmip-node/index.ts",
  hsm: "emulator/hsm/node.ts",
  enclave: "emulator/enclave/index.ts",
} as const;

/** What stands on the kit as an app does: it imports the entry `.`, and has no part of it. */
export const EMBED = { vault: "web/embed/index.ts" } as const;

/** What an app's tests import, and no app. */
export const TESTING = { msw: "web/msw/index.ts", playwright: "cli/playwright/index.ts" } as const;

/** A file that a page loads as it is, without a bundler: all that it needs is in it. */
export const TAG = { "coffer-vault": "web/embed/tag.ts" } as const;

/** The command, which cli/coffer.js starts. */
export const COMMAND = { cli: "cli/main.ts" } as const;
