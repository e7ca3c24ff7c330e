/** A vault as the client sees it: the place where a microservice runs, on an origin of its own or in the same process. */
export interface Vault {
  /** The way to the microservice. */
  port: MessagePort;
  /** Ends the microservice here; what the vault has stored stays there. */
  remove(): void;
}
