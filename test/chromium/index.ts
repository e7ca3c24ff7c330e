/**
 * Chromium under test: how it is started, and a recorder of every call to SubtleCrypto in every realm.
 * May import node: and playwright, nothing of the product. Imported by tests only.
 */
export { type ChromiumOptions, launchChromium } from "./launch.ts";
export { type Call, type KeySummary, type Recorder, recordSubtleCrypto } from "./recorder.ts";
