import { KmipError, type RequestPayload } from "#protocol/kmip/index.ts";
import type { Right, Terms } from "../identity/tickets.ts";
import type { Asker, Clock, Kept, Randomness } from "./context.ts";
import type { Handler } from "./handler.ts";
import type { Operation } from "./operation.ts";

type AskedRight = NonNullable<NonNullable<RequestPayload<"DelegatedLogin">["rights"]>["right"]>[number];

/** Logins (KMIP 2.1 §6.1.30 Login, §6.1.12 Delegated Login): a ticket that stands for the client until it ends. */

const MAX_LEASE_SECONDS = 24 * 3600;

/** Login (KMIP 2.1 §6.1.30): a ticket for this client, on channels with its certificate. */
const login: Handler<"Login"> = (request, context) => {
  const { subject, channel } = context;
  return issued({ identity: subject.identity, channel, ...terms(request, context) }, context);
};

/** Delegated Login (KMIP 2.1 §6.1.12): a ticket for somebody else, with some of the client's rights. */
const delegatedLogin: Handler<"DelegatedLogin"> = (request, context) => {
  const rights = request.rights?.right?.map(rightOf);
  // Without rights a ticket may do everything; an empty list of them was hardly meant so.
  if (request.rights && !rights?.length) throw new KmipError("InvalidField", "Rights without any right");
  const session: Terms = {
    identity: context.subject.identity,
    ...terms(request, context),
    ...(rights ? { rights } : {}),
  };
  return issued(session, context);
};

function rightOf({ usageLimits, ...right }: AskedRight): Right {
  if (usageLimits) throw new KmipError("FeatureNotSupported", "Rights have no usage limits here");
  const { operations, objects } = right;
  // A list without entries allows nothing; no list, everything.
  return {
    ...(operations ? { operations: new Set(operations.operation?.map(String)) } : {}),
    ...(objects ? { objects: new Set(objects.uniqueIdentifier) } : {}),
  };
}

/** Logout (KMIP 2.1 §6.1.31): anyone who holds a ticket may end it; under rights for certain objects, that ticket alone. */
const logout: Handler<"Logout"> = ({ ticket }, { tickets, session, objects }) => {
  if (session && objects && !tickets.isOf(ticket.ticketValue, session))
    throw new KmipError("NotAuthorised", "The ticket ends itself only");
  tickets.revoke(ticket.ticketValue);
  return {};
};

/** A ticket is for ordinary clients, who may not have come by one themselves. */
function issued(terms: Terms, { subject, session, tickets, now, random }: Asker & Clock & Randomness & Kept) {
  if (subject.role !== "user") throw new KmipError("PermissionDenied", "Not allowed for this identity");
  if (session) throw new KmipError("PermissionDenied", "A ticket gets no further ticket");
  return { ticket: { ticketType: "Login" as const, ticketValue: tickets.issue(terms, now, random) } };
}

/** A lease of 0 has no end of its own (TC-LOGIN-1), nor has a count of 0 (TC-DLOGIN-2); a ticket has, in a day. */
function terms({ leaseTime = 0, requestCount = 0, usageLimits }: RequestPayload<"Login">, { now }: Clock) {
  if (usageLimits) throw new KmipError("FeatureNotSupported", "Tickets have no usage limits here");
  if (requestCount < 0) throw new KmipError("InvalidField", "Not a count");
  const seconds = leaseTime === 0 ? MAX_LEASE_SECONDS : Math.min(leaseTime, MAX_LEASE_SECONDS);
  return {
    expires: new Date(now.getTime() + seconds * 1000),
    ...(requestCount === 0 ? {} : { requests: requestCount }),
  };
}

export const Login: Operation<"Login"> = {
  handler: login,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const DelegatedLogin: Operation<"DelegatedLogin"> = {
  handler: delegatedLogin,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "none",
  policyName: undefined,
  shared: false,
};

export const Logout: Operation<"Logout"> = {
  handler: logout,
  needsValue: false,
  unattested: false,
  deferrable: true,
  undoable: true,
  roles: [],
  ticket: "session",
  policyName: undefined,
  shared: false,
};
