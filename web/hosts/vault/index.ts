/**
 * The vault: the document of a cross-origin frame that starts the measured microservice in a Worker and hands it the
 * port of the page around it. May import: protocol/*.ts, types of protocol/contract. Built by web/build.ts; web/browser speaks its handshake.
 *
 * Handshake: the vault posts {type: "coffer-vault-ready"} to its parent, whose origin must be on the list; the parent
 * posts {type: "coffer-connect", version: 1} with one port. A parent that is not served gets "coffer-vault-refused".
 */
export { type Admission, admit, isConnect } from "./admission.ts";
export { measuredBundle } from "./bundle.ts";
