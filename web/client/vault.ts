/** A vault as the client sees it: the place where a microservice runs, on an origin of its own or in the same process. */
export interface Vault {
  /** The way to the microservice. */
  port: MessagePort;
  /**
   * Custodian and microservice have to prove to each other who they are (M14): it came from another origin or process. Without
   * it that is done where the microservice asks for it.
   */
  mutual?: boolean;
  /** Ends the microservice here; what the vault has stored stays there. */
  remove(): void;
}
