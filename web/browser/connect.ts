import { type ConnectOptions as ClientOptions, Coffer } from "../client/index.ts";
import type { OwnMicroservice } from "./custodian.ts";
import { browserHost } from "./host.ts";

/** How to connect. */
export interface ConnectOptions extends ClientOptions {
  /**
   * Where the vault's frame goes, which is hidden but for the moments in which a person unlocks it by a passkey: so not in what is hidden
   * itself. Default: the document's body.
   */
  container?: Element;
  /**
   * Starts a microservice of the app's own for who is signed in, in a Worker of the app's origin (M15), in the place of the vault's: its port,
   * and what ends it. Each start enrols by a secret zero. What is weaker there than in the vault stands in docs/apps.md.
   */
  microservice?: OwnMicroservice;
}

/**
 * Connects to a vault. Takes in the answer of a sign-in redirect if there is one in the address, and restores an
 * earlier sign-in otherwise. Errors: `sign-in-mismatch`, `sign-in-refused`, `offline`.
 *
 * @example
 * const coffer = await connect({ vault: "https://vault.example" });
 * if (!coffer.identity) await coffer.signIn();
 * const { id } = await coffer.seal(file);
 * const { name, stream } = await coffer.open(id);
 */
export async function connect({ container, microservice, ...options }: ConnectOptions): Promise<Coffer> {
  const coffer = new Coffer(options, browserHost(options.vault, container, microservice));
  await coffer.resume();
  return coffer;
}
