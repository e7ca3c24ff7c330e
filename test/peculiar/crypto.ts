/**
 * A second engine of WebCrypto under the suites of the envelope and the microservice: whatever they take for granted that
 * is Node's own and not the standard's shows here. Runs before a test file and what it imports.
 */

import { Crypto } from "@peculiar/webcrypto";

Object.defineProperty(globalThis, "crypto", { value: new Crypto(), configurable: true });
