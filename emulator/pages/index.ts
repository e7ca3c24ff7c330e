/**
 * What the emulators' own pages on this machine share: the document, its colours, and the HTTP around it. No script runs in them.
 * May import: types of node:.
 * May be imported by: emulator/enclave, emulator/identity-provider.
 */

export { COLOURS, documentOf, escaped } from "./document.ts";
export { type Answer, COMMON, end, listen, NOT_SERVED, page, readForm, stylesheet } from "./http.ts";
