import { type ConnectOptions as ClientOptions, Coffer } from "../client/index.ts";
import { browserHost } from "./host.ts";

/** How to connect. */
export interface ConnectOptions extends ClientOptions {
  /**
   * Where the vault's frame goes, which is hidden but for the moments in which a person unlocks it by a passkey: so not in what is hidden
   * itself. Default: the document's body.
   */
  container?: Element;
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
export async function connect({ container, ...options }: ConnectOptions): Promise<Coffer> {
  const coffer = new Coffer(options, browserHost(options.vault, container));
  await coffer.resume();
  return coffer;
}
