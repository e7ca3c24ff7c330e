/**
 * The whole system under test: HSM emulator, edge in workerd, page and vault in Chromium, joined as `npm start` joins them.
 * May import everything. Imported by tests.
 */
export { changeRows, edgeDatabases, type Row, readRows } from "./databases.ts";
export { useSystem, useSystemAndBrowser } from "./hooks.ts";
export { kmsOperations, operationsOf } from "./hsm-log.ts";
export { type HsmKey, type KeyWatch, needlesOf, watchKeys } from "./keys.ts";
export { type Kit, withKit } from "./kit.ts";
export {
  type Browsing,
  openBrowser,
  openEnrolled,
  sealFile,
  showFile,
  signIn,
  typeName,
  untilEnrolled,
} from "./page.ts";
export { type Traffic, watchTraffic } from "./traffic.ts";
