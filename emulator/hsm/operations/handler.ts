import {
  KmipError,
  type OperationName,
  type ProtocolVersion,
  type RequestPayload,
  type ResponsePayload,
  type UniqueIdentifier,
} from "#protocol/kmip/index.ts";
import type { Seeding } from "../crypto/random.ts";
import type { Attestation } from "../identity/attestation.ts";
import type { Evidence } from "../identity/evidence.ts";
import type { Session, Tickets } from "../identity/tickets.ts";
import { checkAccess, type Subject } from "../policy/access.ts";
import { isDestroyed, type ManagedObject } from "../store/managed-object.ts";
import type { Work } from "../store/work.ts";
import type { Groups } from "./groups.ts";
import type { Pending } from "./pending.ts";
import type { Streams } from "./streams.ts";

/** What a handler works with: who asks, when, and the objects as this batch item sees them. */
export interface Context {
  subject: Subject;
  version: ProtocolVersion;
  now: Date;
  /** That many random bytes. */
  random: (length: number) => Uint8Array<ArrayBuffer>;
  work: Work;
  /** The identity of the channel; the subject's may come from a credential. */
  channel: string;
  /** Whether the client reads a bare wrapped key only as a structure. */
  structuredKeyValues?: boolean;
  /** The longest lease (s); 0 is without end. */
  leaseTime: number;
  /** Whether the client is PyKMIP's (`pykmip.ts`). */
  pykmip?: boolean;
  /** What the subject came by, where it was a ticket. */
  session?: Session;
  /**
   * To whom answers that wait and operations that are open belong: the session, whose rights they were asked for with;
   * without a ticket, the identity.
   */
  holder: string;
  /** The objects that a delegated ticket is for; all where it does not say. */
  objects?: ReadonlySet<string>;
  tickets: Tickets;
  /** What the client has shown of itself in this message, and the types of evidence that are accepted. */
  attestation: Attestation;
  attestationTypes: readonly number[];
  /** What becomes of seeds, and how one is mixed in. */
  seeding: Seeding;
  seed: (data: Uint8Array) => void;
  /** Answers that wait to be asked for. */
  pending: Pending;
  groups: Groups;
  /** Operations whose data comes in pieces. */
  streams: Streams;
  /** What earlier items of the batch made: by the name of a Unique Identifier enumeration, and in order. */
  references: References;
  /** Whether the item is one of a batch that is to be undone as a whole. */
  undoable: boolean;
  /** Takes units (`HeavyWork`) from the message's budget. */
  spend: (units: number) => void;
  /** Does what costs so many units off the event loop, when its turn comes. */
  heavy: <T>(units: number, job: () => Promise<T>) => Promise<T>;
  /** Something to await where others are to have their turn before this goes on. */
  turnOver: () => Promise<void> | undefined;
}

/** Executes one operation; throws `KmipError`, after which none of its changes are kept. */
export type Handler<O extends OperationName> = (
  payload: RequestPayload<O>,
  context: Context,
) => ResponsePayload<O> | Promise<ResponsePayload<O>>;

/** KMIP 2.1, ID Placeholder: identifiers that later items of a batch may refer to. */
export class References {
  #named = new Map<string, string>();
  #ordered: string[] = [];

  /** Sets the ID Placeholder, and what 2.x calls by the operation's name. */
  set(uid: string, ...names: string[]): void {
    for (const name of ["IDPlaceholder", ...names]) this.#named.set(name, uid);
    this.#ordered.push(uid);
  }

  /** A further object of the operation, which 2.x may refer to by its number. */
  add(uid: string): void {
    this.#ordered.push(uid);
  }

  /** Sets a name of 2.x only. */
  name(uid: string, name: string): void {
    this.#named.set(name, uid);
    this.#ordered.push(uid);
  }

  clearPlaceholder(): void {
    this.#named.delete("IDPlaceholder");
  }

  resolve(identifier: UniqueIdentifier | undefined): string {
    const found =
      typeof identifier === "string"
        ? identifier
        : typeof identifier === "number"
          ? this.#ordered.at(identifier)
          : this.#named.get(identifier ? String(identifier.reference) : "IDPlaceholder");
    if (found === undefined)
      throw new KmipError("ObjectNotFound", "No object is named and none was made before");
    return found;
  }
}

/** The object that a request names, as far as the asker may do this with it; destroyed ones only where asked for. */
export function objectFor(
  context: Context,
  identifier: UniqueIdentifier | undefined,
  operation: string,
  { destroyed = false, archived = false, correlationValue }: ObjectOptions = {},
): ManagedObject {
  const traits = context.subject.operations[operation];
  const uid = context.references.resolve(identifier);
  // Before anything is looked up: the bearer is not told which other objects there are.
  if (context.objects?.has(uid) === false)
    throw new KmipError("NotAuthorised", "The ticket is not for that object");
  const object = context.work.get(uid);
  if (!object) throw new KmipError("ObjectNotFound", "No such object");
  checkAccess(context.subject, object, operation);
  if (!destroyed && isDestroyed(object)) throw new KmipError("ObjectDestroyed", "The object was destroyed");
  if (!archived && object.attributes.archiveDate && traits?.needsValue !== false)
    throw new KmipError("ObjectArchived", "The object is archived");
  if (!traits?.unattested)
    context.attestation.check(object.attributes, begunWith(context, operation, object, correlationValue));
  return object;
}

/** Which objects are taken, and the stream that the operation is a piece of. */
interface ObjectOptions {
  destroyed?: boolean;
  archived?: boolean;
  correlationValue?: Uint8Array | undefined;
}

function begunWith(
  { streams, holder, channel, now }: Context,
  operation: string,
  { uid }: ManagedObject,
  correlationValue: Uint8Array | undefined,
): Evidence | undefined {
  return correlationValue && streams.evidence(correlationValue, { holder, operation, uid, channel }, now);
}
