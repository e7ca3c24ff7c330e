import { createHash, timingSafeEqual } from "node:crypto";
import { type Credential, KmipError, type RequestHeader } from "#protocol/kmip/index.ts";
import type { Origin } from "./listener.ts";
import type { Subject } from "./policy/access.ts";
import { roleOf } from "./policy/roles.ts";
import type { Session, Tickets } from "./tickets.ts";

/** Clients that may name themselves by user name and password. */
export type Users = Readonly<Record<string, string>>;

/** Who asks, and (with a delegated ticket) how little of it. */
export interface Authenticated {
  subject: Subject;
  session?: Session;
}

/**
 * Profiles 2.1 §3.1.3: a Credential in the message, where there is one, gives the identity; else the channel does.
 * One that is not understood or not right refuses the message: it is never passed over.
 */
export function authenticate(
  { authentication }: RequestHeader,
  { identity }: Origin,
  users: Users,
  tickets: Tickets,
  now: Date,
): Authenticated {
  const role = roleOf(identity);
  if (role === undefined) throw refused("Not a known identity");
  if (!authentication) return { subject: { identity, role } };
  const [credential, ...more] = authentication.credential ?? [];
  if (!credential || more.length > 0) throw refused("One credential is expected");
  // The domains of a deployment are who their certificate says, whatever a message adds.
  if (role !== "user") throw refused("This client is known by its certificate alone");
  switch (credential.credentialType) {
    case "UsernameAndPassword":
      return { subject: { identity: userOf(credential, users), role: "user" } };
    case "Ticket": {
      const value = credential.credentialValue.ticket?.ticketValue;
      if (!value) throw refused("The ticket is missing");
      const session = tickets.redeem(value, identity, now);
      return { subject: { identity: session.identity, role: "user" }, session };
    }
  }
  throw refused("Not a kind of credential that is taken here");
}

/** The identity of a user: in a space of its own, since common names of certificates are ASCII. */
function userOf({ credentialValue: { username, password } }: Credential, users: Users): string {
  const known = username !== undefined && Object.hasOwn(users, username) ? users[username]! : undefined;
  // The comparison takes as long for a user that there is not.
  const right = timingSafeEqual(digest(password ?? ""), digest(known ?? "\u0000"));
  if (known === undefined || password === undefined || !right)
    throw refused("Not a known user, or another password");
  return `\u00b7${username}`;
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function refused(message: string): KmipError {
  return new KmipError("AuthenticationNotSuccessful", message);
}
