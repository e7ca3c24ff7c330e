/** @peculiar/x509 with the Reflect polyfill that it needs in place first. */
import "reflect-metadata";
import * as x509 from "@peculiar/x509";

export { x509 };
