import type { Custodian, CustodianOptions } from "./custodian.ts";
import type { Host } from "./host.ts";

/** Tells an app of an event of its `Coffer`, with what a `CustomEvent` says. */
export type Tell = (event: "state" | "queue" | "waiting" | "step", detail?: unknown) => void;

/** A host in which a person signs in by going to the vault's page and coming back. */
export interface SignInHost extends Host {
  /** The rest of the client, loaded when somebody is signed in. */
  custodian(options: CustodianOptions, tell: Tell): Promise<Custodian>;
  /** Takes the answer of a sign-in out of the address that led here, so that it is found once; undefined when there is none. */
  takeAnswer(): URLSearchParams | undefined;
  /** Goes to the vault's page. Does not return. */
  leave(url: string): Promise<never>;
  /** Ends this app's sign-ins at the vault, which knows them by its cookie. Does not fail. */
  endSession(url: URL): Promise<void>;
  /** Others of this app in the same browser: tells them that the sign-in has ended, and is told. */
  tell(): void;
  onTold(listener: () => void): void;
}
