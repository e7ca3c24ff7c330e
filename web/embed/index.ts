/**
 * web/embed: `<coffer-vault>`, the core of a vault as one tag for any app, and `sealFormData` for an app's own form. Importing it touches no DOM, so that a
 * server may render pages of it. May import: web/browser/index.ts, web/browser/discovery.ts. Imported by apps.
 */
export { type CofferVaultElement, type CofferVaultEvents, defineCofferVault } from "./element.ts";
export { type SealedForm, sealFormData } from "./form.ts";
