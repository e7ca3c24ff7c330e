/**
 * The whole system under test: HSM emulator, edge in workerd, page and vault in Chromium, joined as `npm start` joins them.
 * May import everything. Imported by the system tests of this folder only.
 */
export { changeRows, edgeDatabases, type Row, readRows } from "./databases.ts";
export { type HsmKey, type KeyWatch, watchKeys } from "./keys.ts";
export { type Kit, withKit } from "./kit.ts";
export { type Browsing, openBrowser, sealFile, showFile, signIn, untilEnrolled } from "./page.ts";
export { type System, type SystemOptions, startSystem } from "./start.ts";
export { type Traffic, watchTraffic } from "./traffic.ts";
